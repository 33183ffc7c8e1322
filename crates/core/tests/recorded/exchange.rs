//! One request and its answer, as they travel.

use std::io::{Read as _, Write as _};

const DEFLATE: &str = "content-encoding: deflate";

/// One exchange, as it travelled.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exchange {
    pub(crate) path: String,
    /// `name: value`, in order.
    pub(crate) headers: Vec<String>,
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    /// Absent for an empty answer.
    pub(crate) content_type: Option<String>,
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    /// A request as the runtime's transport sends it; `is_compressed`: as it does from 512 bytes on.
    pub(crate) fn new(path: &str, body: &[u8], is_compressed: bool) -> Self {
        let mut headers =
            vec!["content-type: application/json".to_owned(), "accept-encoding: deflate".to_owned()];
        headers.extend(is_compressed.then(|| DEFLATE.to_owned()));
        let mut exchange = Self { path: path.to_owned(), headers, ..Self::default() };
        exchange.set_request(body);
        exchange
    }

    /// Puts another body in, compressed where the headers say so.
    pub(crate) fn set_request(&mut self, body: &[u8]) {
        self.request = if self.is_compressed() {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        } else {
            body.to_vec()
        };
    }

    /// The body of the request, decompressed.
    pub(crate) fn plain_request(&self) -> Vec<u8> {
        if !self.is_compressed() {
            return self.request.clone();
        }
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(&*self.request).read_to_end(&mut plain).unwrap();
        plain
    }

    /// What request and answer are called where something is wrong with them.
    pub(crate) fn names(&self) -> [String; 2] {
        let route = self.path.rsplit('/').next().unwrap_or_default();
        ["request", "answer"].map(|what| format!("{route} {what}"))
    }

    fn is_compressed(&self) -> bool {
        self.headers.iter().any(|header| header == DEFLATE)
    }
}
