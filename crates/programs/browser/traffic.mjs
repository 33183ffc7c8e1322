// What the last navigation of a tab cost on the wire: requests and bytes, headers included, as the browser counts them.

export class Traffic {
  static async watch(session) {
    const traffic = new Traffic();
    traffic.requests = new Map();
    traffic.waiting = [];
    const on = (event, take) => session.on(`Network.${event}`, (told) => traffic.take(take, told));
    on('requestWillBeSent', traffic.sent);
    on('responseReceived', traffic.answered);
    on('requestServedFromCache', traffic.cached);
    on('dataReceived', traffic.received);
    on('loadingFinished', traffic.finished);
    on('loadingFailed', traffic.failed);
    await session.send('Network.enable');
    return traffic;
  }

  take(take, told) {
    take.call(this, told);
    if (this.isQuiet()) this.waiting.splice(0).forEach((wake) => wake());
  }

  sent({ requestId, loaderId, type, request, redirectResponse, timestamp }) {
    // A redirect goes on under the id of the request it answers: a post and the page after it are one navigation.
    const before = redirectResponse ? this.requests.get(requestId) : undefined;
    if (type === 'Document' && requestId === loaderId && !redirectResponse) this.requests.clear();
    const bytes = (before?.bytes ?? 0) + (redirectResponse?.encodedDataLength ?? 0);
    this.requests.set(requestId, {
      url: request.url,
      type,
      bytes,
      earlier_bytes: bytes,
      status: 0,
      is_done: false,
      started: before?.started ?? timestamp,
      seconds: 0,
    });
  }

  answered({ requestId, response }) {
    const request = this.requests.get(requestId);
    if (!request) return;
    request.status = response.status;
    request.is_cached ||= response.fromDiskCache || response.fromServiceWorker;
    if (!request.is_cached) request.bytes = request.earlier_bytes + response.encodedDataLength;
  }

  cached({ requestId }) {
    const request = this.requests.get(requestId);
    if (request) request.is_cached = true;
  }

  received({ requestId, encodedDataLength }) {
    const request = this.requests.get(requestId);
    if (request && !request.is_cached) request.bytes += encodedDataLength;
  }

  finished({ requestId, encodedDataLength, timestamp }) {
    const request = this.requests.get(requestId);
    if (!request) return;
    request.is_done = true;
    request.seconds = timestamp - request.started;
    // The sum that the browser vouches for, in place of the parts.
    if (!request.is_cached) request.bytes = request.earlier_bytes + encodedDataLength;
  }

  failed({ requestId }) {
    const request = this.requests.get(requestId);
    if (request) request.is_done = true;
  }

  /** Whether everything asked for is there, but for streams, which have no end. */
  isQuiet() {
    return [...this.requests.values()].every(({ is_done, type }) => is_done || type === 'EventSource');
  }

  async settled(timeout) {
    if (this.isQuiet()) return;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`after ${timeout} ms the page still loads ${this.open()}`)), timeout);
    });
    const quiet = new Promise((wake) => this.waiting.push(wake));
    await Promise.race([quiet, late]).finally(() => clearTimeout(timer));
  }

  open() {
    return [...this.requests.values()].filter(({ is_done }) => !is_done).map(({ url }) => url).join(', ');
  }

  sum() {
    const requests = [...this.requests.values()].filter(({ url }) => /^https?:/.test(url));
    return {
      bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0),
      requests: requests.map(({ url, type, status, bytes, is_cached, seconds }) => ({
        url,
        kind: type,
        status,
        bytes: Math.round(bytes),
        is_cached: !!is_cached,
        milliseconds: seconds * 1000,
      })),
    };
  }
}
