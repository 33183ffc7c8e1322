//! The browser that shows are played in sees what is there, and complains of what no page of ours may do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use tidegate_programs::harness::{Browser, Device, Find, World};

#[test]
fn the_browser_sees_what_the_control_plane_serves() {
    let Some(browser) = browser() else { return };
    let world = World::new().expect("a world");
    let tab = browser.open(Device::DESK).expect("a tab");
    let document = tab.goto(&format!("{}/api/openapi.json", world.plane.url())).expect("the document");
    assert!(document.bytes > 10_000.0, "{document:?}");
    assert!(tab.text().expect("its text").contains("/api/v1/endpoints"));
    tab.goto_for(&format!("{}/nowhere", world.plane.url()), 404).expect("nothing is there");
    let error = tab.goto(&format!("{}/nowhere", world.plane.url())).expect_err("404 is not 200");
    assert!(error.to_string().contains("answered 404"), "{error:#}");
}

#[test]
fn what_a_person_does_reaches_the_page() {
    let Some(browser) = browser() else { return };
    let url = serve(
        FORM,
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; form-action 'self'",
    );
    for device in [Device::DESK, Device::PHONE, Device::DESK.without_script()] {
        let tab = browser.open(device).expect("a tab");
        tab.goto(&url).expect("the form");
        tab.fill(&Find::label("Machine"), "Labeller 3").expect("the field is filled");
        assert_eq!(tab.value(&Find::label("Machine")).expect("it holds"), "Labeller 3");
        tab.click(&Find::button("Queue").exact()).expect("the button is pressed");
        tab.address("machine=Labeller+3").expect("the form was sent");
        let error = tab.shows(&Find::button("Nowhere"), 1).expect_err("there is none");
        assert!(format!("{error:#}").contains("the page says: Machine"), "{error:#}");
        let layout = tab.layout().expect("a layout");
        assert_eq!((layout.width, layout.scroll_width), (device.width, device.width), "{layout:?}");
        tab.close().expect("nothing was amiss");
    }
}

#[test]
fn the_tab_key_alone_reaches_what_it_should() {
    let Some(browser) = browser() else { return };
    let tab = browser.open(Device::DESK).expect("a tab");
    tab.goto(&serve(FORM, "style-src 'unsafe-inline'; script-src 'unsafe-inline'")).expect("the form");
    assert_eq!(tab.tab_to("textbox", "Machine").expect("reached"), 1);
    tab.type_text("Labeller 3").expect("typed");
    assert_eq!(tab.tab_to("button", "Queue").expect("reached"), 1);
    let error = tab.tab_to("button", "Unseen").expect_err("its focus cannot be seen");
    assert!(error.to_string().contains("nothing shows"), "{error:#}");
    tab.press("Enter").expect("pressed");
}

#[test]
fn axe_names_what_a_page_lacks() {
    let Some(browser) = browser() else { return };
    let tab = browser.open(Device::DESK).expect("a tab");
    tab.goto(&serve("<html><body><input><img src='data:,'></body></html>", "img-src data:"))
        .expect("the page");
    let violations = tab.violations().expect("axe looked");
    let is_found =
        |rule: &str| violations.iter().any(|violation| violation.rule == rule && violation.is_grave());
    assert!(is_found("label") && is_found("html-has-lang") && is_found("image-alt"), "{violations:?}");
}

#[test]
fn what_no_page_may_do_is_complained_of() {
    let Some(browser) = browser() else { return };
    let open = "default-src * 'unsafe-inline'";
    for (page, policy, complaint) in [
        ("<p onclick='x()'>a<script>alert(1)</script>", "default-src 'none'", "Content Security Policy"),
        ("<script>alert('boo')</script>", open, "dialog: boo"),
        ("<script>throw new Error('torn')</script>", open, "script: torn"),
        ("<script>console.error('sour')</script>", open, "console: sour"),
        ("<img src='http://example.com/a.png'>", open, "request: http://example.com/a.png"),
    ] {
        let tab = browser.open(Device::DESK).expect("a tab");
        let error = tab.goto(&serve(page, policy)).expect_err("the page misbehaves");
        assert!(error.to_string().contains(complaint), "{page}: {error:#}");
    }
}

#[test]
fn a_page_that_changes_by_itself_is_timed() {
    let Some(browser) = browser() else { return };
    let page = "<p id=p>before</p><script>setTimeout(() => p.textContent = 'after', 100)</script>";
    let tab = browser.open(Device::DESK).expect("a tab");
    tab.goto(&serve(page, "script-src 'unsafe-inline'")).expect("the page");
    tab.watch("after").expect("it watches");
    let arrived = browser.arrivals(&[&tab], 10).expect("it came");
    assert!(arrived[0] > 1_700_000_000_000, "{arrived:?}");
    tab.watch("never").expect("it watches");
    browser.arrivals(&[&tab], 1).expect_err("it never comes");
}

const FORM: &str = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'>\
    <style>.unseen:focus { outline: none }</style><script>let loaded = true</script>\
    <form action=/sent><label>Machine <input name=machine></label><button>Queue</button></form>\
    <button class=unseen>Unseen</button></html>";

/// The browser; `None`: it is not installed here.
fn browser() -> Option<Browser> {
    if let Some(missing) = Browser::missing() {
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    Some(Browser::start().expect("the browser starts"))
}

/// Serves one page at every path, from a thread that ends with the test.
fn serve(page: &'static str, policy: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head: Vec<_> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let body = if head.first().is_some_and(|line| line.contains("favicon")) { "" } else { page };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-security-policy: {policy}\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}
