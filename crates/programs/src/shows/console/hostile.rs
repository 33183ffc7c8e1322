//! What machines and strangers send is inert on every page, and another site's page can do nothing with a session.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tidegate_core::words::one_line;

use super::foreign;
use super::stage::{Page, Stage};
use crate::harness::{Connection, Device, Find, Tab, loopback, request_bytes};
use crate::shows::{Scale, figure};

/// A name that runs, loads or closes something where it is not escaped, and turns the text after it around.
const NAME: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}} \u{202e}gpj.exe";
/// What a step prints, as `printf` writes it: markup, escapes of terminals, NUL, text from right to left.
const PRINTED: &str = r#"printf '<script>alert(3)</script><svg onload=alert(4)>\033[2J\033]0;owned\007 a\000b \342\200\256gpj.exe\n</pre></textarea><img src=x onerror=alert(5)>\n'"#;
/// One line without a place to break it.
const LONG: &str = "head -c 1000000 /dev/zero | tr '\\0' x";
/// Elements that none of our pages has, the drawn line of a machine's contact apart: one of them came out of a text.
const PLANTED: &str = "img, svg:not([role=img][aria-label]), iframe, object, script:not([src^='/assets/']), [onerror], [onload], style, base";
/// Pages on which the hostile name is.
const SHOWING: &[&str] = &[
    "overnight",
    "machines",
    "machine",
    "transcript",
    "result",
    "draft",
    "playbooks",
    "playbook",
    "playbook-before",
    "playbook-edit",
    "playbook-keep",
    "playbook-asks",
];
/// Sign-ins with wrong passwords; many times what one address is allowed.
const WRONG_PASSWORDS: usize = 300;

/// All of it.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    let pages = plant(&mut stage)?;
    let mut looked = 0_usize;
    for device in [Device::DESK, Device::PHONE] {
        stage.visit(device, &pages, |tab, page| {
            looked += 1;
            inert(&stage, tab, page)
        })?;
    }
    figure("pages with hostile texts, inert at 1280 and 360 px", looked);
    live(&stage, &pages)?;
    figure("a hostile note that came in live", "inert");
    asked(&stage, &pages)?;
    figure("what a hostile playbook asks for on a machine", "inert");
    let result = &page_of(&pages, "result")?.path;
    figure("another site's page", forged(&stage, result)?);
    framed(&stage)?;
    figure("a frame around a page of ours", "refused by the browser");
    figure("places elsewhere after signing in, refused", redirected(&stage)?);
    fixed(&stage)?;
    figure("a planted session", "worth nothing before and after signing in");
    figure("a flood of wrong passwords", flooded(&stage)?);
    Ok(())
}

/// Names, titles, notes, tags and outputs, all hostile; answers the pages that show them.
fn plant(stage: &mut Stage) -> anyhow::Result<Vec<Page>> {
    stage.rename(NAME)?;
    let api = &stage.world.api;
    let endpoint = api.get(&format!("/api/v1/endpoints/{}", stage.machine.endpoint))?;
    for (kind, id) in [("clients", &endpoint["client_id"]), ("sites", &endpoint["site_id"])] {
        let place = format!("/api/v1/{kind}/{}", id.as_str().context("it belongs somewhere")?);
        // Of these the later edit stays, so no revision is asked for.
        api.patch(&place, 0, &json!({ "name": NAME }))?;
    }
    let note = json!({ "text": format!("{NAME}\n</textarea><script>alert(6)</script>\u{1b}[31m") });
    api.post(&format!("/api/v1/endpoints/{}/notes", stage.machine.endpoint), &note)?;
    let steps = json!([
        { "probe": "shell", "with": { "command": PRINTED } },
        { "probe": "shell", "with": { "command": LONG } },
        { "probe": "tcp_connect", "with": { "host": "127.0.0.1", "port": super::closed_port()? } },
    ]);
    let pages = stage.furnish_with(NAME, &steps)?;
    let result = page_of(&pages, "result")?.path.clone();
    stage.world.api.post(&format!("/api/v1{result}/notes"), &note)?;
    Ok(pages)
}

fn page_of<'a>(pages: &'a [Page], name: &str) -> anyhow::Result<&'a Page> {
    pages.iter().find(|page| page.name == name).with_context(|| format!("there is a page {name}"))
}

/// Nothing of the texts became more than text. That no script ran and nothing was asked of others, every use of the tab
/// has checked already.
fn inert(stage: &Stage, tab: &Tab, page: &Page) -> anyhow::Result<()> {
    let source = tab.source()?;
    if SHOWING.contains(&page.name) {
        ensure!(source.contains("&lt;script&gt;alert(1)"), "the hostile name is not on this page");
    }
    if ["result", "compared", "transcript-entry", "playbook", "playbook-edit"].contains(&page.name) {
        ensure!(source.contains("&lt;script&gt;alert(3)"), "the hostile output is not on this page");
    }
    if page.name == "result" {
        ensure!(source.contains("\\x1b[2J") && source.contains("\\x00b"), "escapes and NUL are shown");
    }
    let planted = tab.count(&Find::css(PLANTED))?;
    ensure!(planted == 0, "{planted} elements came out of texts");
    // A field holds the text that it edits as it is; everywhere else what turns text around is shown and not sent.
    let obeyed = ['\u{1b}', '\u{202e}', '\0', '\u{7}'].into_iter().find_map(|each| {
        let at = source.match_indices(each).map(|(at, _)| at).find(|at| !is_in_field(&source[..*at]))?;
        let around: String = source[..at].chars().rev().take(200).collect();
        Some((each, around.chars().rev().collect::<String>()))
    });
    ensure!(obeyed.is_none(), "the page holds as it was sent {obeyed:?}");
    let asked = tab.settled()?.requests;
    let foreign = asked.iter().find(|request| !request.url.starts_with(&stage.world.plane.url()));
    ensure!(foreign.is_none(), "it asks for {foreign:?}");
    let layout = tab.layout()?;
    ensure!(layout.scroll_width <= layout.width, "it has to be pushed sideways: {layout:?}");
    Ok(())
}

/// Whether what follows `before` is in a field's value: between its quotes, or in the text of one of several lines.
fn is_in_field(before: &str) -> bool {
    let tag = before.rfind('<').map_or("", |at| &before[at..]);
    let is_in_lines = tag.starts_with("<textarea") && tag.contains('>');
    is_in_lines
        || tag.starts_with("<input")
            && tag.matches('"').count() % 2 == 1
            && tag.rsplit_once("=\"").is_some_and(|(names, _)| names.ends_with("value"))
}

/// What comes in while somebody looks is put into the page by script.
fn live(stage: &Stage, pages: &[Page]) -> anyhow::Result<()> {
    let page = page_of(pages, "result")?;
    let tab = stage.signed_in(Device::DESK)?;
    tab.goto(&stage.url(&page.path))?;
    tab.watch("Came in late")?;
    let note = json!({ "text": format!("Came in late {NAME}") });
    stage.world.api.post(&format!("/api/v1{}/notes", page.path), &note)?;
    stage.browser.arrivals(&[&tab], 30)?;
    inert(stage, &tab, page)?;
    tab.close()
}

/// What a playbook asks for is a page that only a press leads to.
fn asked(stage: &Stage, pages: &[Page]) -> anyhow::Result<()> {
    let machine = page_of(pages, "machine")?;
    for device in [Device::DESK, Device::PHONE] {
        let tab = stage.signed_in(device)?;
        tab.goto(&stage.url(&machine.path))?;
        tab.choose(&Find::label("With a playbook"), &one_line(NAME))?;
        tab.click(&Find::button("Draft from it"))?;
        tab.shows(&Find::button("Make the draft"), 15)?;
        let page = Page {
            name: "playbook-asks",
            path: machine.path.clone(),
            status: 200,
            is_outside: false,
            form: None,
        };
        inert(stage, &tab, &page)?;
        tab.close()?;
    }
    Ok(())
}

/// A page on another port is of the same site to the browser, so the session goes with what it sends: only its origin
/// tells it from ours.
fn forged(stage: &Stage, result: &str) -> anyhow::Result<String> {
    let act = stage.url(&format!("{result}/act"));
    let page = format!(
        "<!doctype html><title>Prize</title><a href='{}'>Look</a>\
         <form method=post action='{act}'><input name=act value=note><input name=text value=forged-by-form>\
         <button>Win</button></form>\
         <form method=post action='{}'><input name=secret value='{}'><button>Join</button></form>\
         <button id=quiet onclick=\"fetch('{act}', {{ method: 'POST', mode: 'no-cors', credentials: 'include', \
         body: new URLSearchParams({{ act: 'note', text: 'forged-by-fetch' }}) }})\
         .then(() => document.body.append('Sent quietly'))\">Quietly</button>",
        stage.url("/machines"),
        stage.url("/sign-in"),
        stage.world.plane.token,
    );
    let url = foreign::site(page)?;
    let tab = stage.signed_in(Device::DESK)?;
    tab.goto(&url)?;
    tab.click(&Find::link("Look"))?;
    tab.shows(&Find::heading("Machines").exact(), 15).context("the session goes with what the page sends")?;
    for button in ["Win", "Join"] {
        tab.goto(&url)?;
        tab.click(&Find::button(button))?;
        tab.says("a page of another site asked for this", 15)?;
        let here = tab.here()?;
        ensure!(here.status == 403, "{button} was answered {here:?}");
    }
    tab.goto(&url)?;
    tab.click(&Find::button("Quietly"))?;
    // It is told nothing of the answer, but that there was one.
    tab.says("Sent quietly", 15)?;
    let notes = stage.world.api.get(&format!("/api/v1{result}"))?["notes"].to_string();
    ensure!(notes.contains("Came in late") && !notes.contains("forged"), "a forged note is there: {notes}");
    tab.close()?;
    Ok("two forms and a fetch with the session, all refused".into())
}

fn framed(stage: &Stage) -> anyhow::Result<()> {
    let url = foreign::site(format!("<!doctype html><iframe src='{}'></iframe>", stage.url("/machines")))?;
    let tab = stage.signed_in(Device::DESK)?;
    let told = match tab.goto(&url) {
        Err(error) => format!("{error:#}"),
        Ok(_) => tab.problems()?.concat(),
    };
    ensure!(told.contains("frame-ancestors"), "the browser framed the page: {told:?}");
    tab.close()
}

/// Whatever a link says about where to go on, one stays here.
fn redirected(stage: &Stage) -> anyhow::Result<usize> {
    let url = foreign::site("<!doctype html>elsewhere".into())?;
    let host = url.trim_start_matches("http:");
    let places =
        [url.clone(), host.to_owned(), host.replacen("//", "/\\", 1), host.replacen("//", "/\t/", 1)];
    for place in &places {
        let tab = stage.browser.open(Device::DESK)?;
        let next: String = place.bytes().map(|byte| format!("%{byte:02x}")).collect();
        tab.goto(&stage.url(&format!("/sign-in?next={next}")))?;
        sign_in(stage, &tab)?;
        tab.shows(&Find::heading("Overnight"), 15).with_context(|| format!("next={place:?}"))?;
        // And once one is signed in already.
        let landed = tab.goto(&stage.url(&format!("/sign-in?next={next}")))?.url;
        ensure!(landed.starts_with(&stage.url("/")), "next={place:?} led to {landed}");
        tab.close()?;
    }
    Ok(places.len())
}

fn sign_in(stage: &Stage, tab: &Tab) -> anyhow::Result<()> {
    tab.fill(&Find::label("One-time link"), &stage.world.plane.token)?;
    tab.click(&Find::button("Sign in with it"))
}

/// A cookie that somebody planted is never the session of the one who signs in.
fn fixed(stage: &Stage) -> anyhow::Result<()> {
    let planted = format!("tgs_{}", "a".repeat(52));
    let tab = stage.browser.open(Device::DESK)?;
    tab.give_cookie(&stage.url("/"), "tidegate", &planted)?;
    let asked = tab.goto(&stage.url("/machines"))?;
    ensure!(asked.url.contains("/sign-in"), "a planted cookie is a session: {asked:?}");
    sign_in(stage, &tab)?;
    tab.shows(&Find::heading("Machines").exact(), 15)?;
    let cookies = tab.cookies()?;
    let ours: Vec<_> = cookies.iter().filter(|cookie| cookie.name.contains("tidegate")).collect();
    let [ours] = &ours[..] else { anyhow::bail!("one session is in one cookie: {cookies:?}") };
    ensure!(ours.value != planted, "the planted secret became the session");
    ensure!(
        ours.http_only && ours.same_site == "Lax",
        "script can read it, or other sites send it: {ours:?}"
    );
    let other = stage.browser.open(Device::DESK)?;
    other.give_cookie(&stage.url("/"), "tidegate", &planted)?;
    let asked = other.goto(&stage.url("/machines"))?;
    ensure!(asked.url.contains("/sign-in"), "whoever planted it is in: {asked:?}");
    other.close()?;
    tab.close()
}

/// Somebody guesses from one address; everybody else signs in meanwhile.
fn flooded(stage: &Stage) -> anyhow::Result<String> {
    let to = ([127, 0, 0, 1], stage.world.plane.port()).into();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let bytes = request_bytes("POST", "/sign-in", &form, b"email=owner%40example.com&password=wrong");
    let mut refused = 0;
    tokio.block_on(async {
        let mut connection = Connection::open(to, loopback(40)).await?;
        for _ in 0..WRONG_PASSWORDS {
            match connection.exchange(&bytes).await?.status {
                422 => {}
                429 => refused += 1,
                other => anyhow::bail!("a wrong password was answered {other}"),
            }
        }
        anyhow::Ok(())
    })?;
    ensure!(refused > 0, "one address may guess {WRONG_PASSWORDS} passwords at once");
    stage.signed_in(Device::DESK).context("another address is locked out")?.close()?;
    Ok(format!("{refused} of {WRONG_PASSWORDS} not even looked at; another address signed in"))
}
