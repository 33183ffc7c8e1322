//! The main job: the machine is found, asked, and its answer read, in each way of using the console.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::closed_port;
use super::hands::{Hands, Way};
use super::stage::{MACHINE, Stage};
use crate::harness::Find;
use crate::shows::{Scale, figure};

/// How long a machine that is on takes at most until its answer is on the page.
const ANSWER_WITHIN_SECONDS: u64 = 60;

/// In all four ways, or quickly in one.
pub(in crate::shows) fn run(scale: Scale) -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    figure("browser", &stage.browser.version);
    figure("machines to find one among", stage.crowd()?);
    let ways = if scale == Scale::Quick { &Way::ALL[..1] } else { &Way::ALL[..] };
    for way in ways {
        let started = Instant::now();
        let mut hands = Hands::new(stage.browser.open(way.device())?, *way);
        let answered = job(&mut stage, &mut hands).with_context(|| format!("by {}", way.name()))?;
        let took = started.elapsed().as_secs_f64();
        let live = if hands.is_live() { "appeared by itself" } else { "after reloads by hand" };
        figure(way.name(), format!("{}, {took:.1} s in all", hands.sum()));
        figure("  from queued to read", format!("{:.1} s, {live}", answered.as_secs_f64()));
        hands.tab.close()?;
    }
    Ok(())
}

/// The job from signing in to a second run; answers how long the first run took until its result was on the page.
fn job(stage: &mut Stage, hands: &mut Hands) -> anyhow::Result<Duration> {
    if stage.machine.is_running()? {
        stage.machine.stop()?;
    }
    sign_in(stage, hands)?;
    find(hands)?;
    let port = closed_port()?;
    let title = format!("Why is press {port} mute");
    draft(hands, port, &title)?;
    hands.press("Queue for")?;
    hands.tab.shows(&Find::heading(&title), 15)?;
    hands.tab.shows(&Find::heading("Steps"), 15)?;
    hands.arrived()?;
    ensure!(!hands.tab.text()?.contains("Done"), "nothing is done before the machine is on");
    let queued = Instant::now();
    watch(hands)?;
    stage.machine.start()?;
    until_done(stage, hands)?;
    let answered = queued.elapsed();
    read(hands, port)?;
    look(hands)?;
    note(hands)?;
    again(stage, hands)?;
    Ok(answered)
}

/// Whoever drags comes by the one-time link that `tidegate admin owner` prints, the others with a token.
fn sign_in(stage: &Stage, hands: &mut Hands) -> anyhow::Result<()> {
    if hands.drags() {
        return by_link(stage, hands);
    }
    hands.go(&stage.url("/"))?;
    hands.write_secret("One-time link", &stage.world.plane.token)?;
    hands.press("Sign in with it")?;
    hands.tab.shows(&Find::heading("Overnight"), 15)?;
    hands.arrived()
}

/// The link's secret is in the field by itself and not in the address any more; to the next who comes with it, it is
/// worth nothing, and they are told so.
fn by_link(stage: &Stage, hands: &mut Hands) -> anyhow::Result<()> {
    let link = stage.url(&format!("/sign-in#{}", stage.world.plane.sign_in_secret()));
    hands.go(&link)?;
    ensure!(!hands.tab.here()?.url.contains('#'), "the secret stays in the address");
    hands.press("Sign in with it")?;
    hands.tab.address("/settings/you")?;
    hands.arrived()?;
    let other = stage.browser.open(hands.tab.device)?;
    other.goto(&link)?;
    other.click(&Find::button("Sign in with it"))?;
    other.says("this sign-in link does not work: each works once", 15)?;
    let (status, cookies) = (other.here()?.status, other.cookies()?);
    ensure!(status == 422 && cookies.is_empty(), "a used link was answered {status}, with {cookies:?}");
    figure("a one-time link", "opened the console once, and was refused in words after that");
    other.close()
}

/// Finds the machine among the others and opens its page.
fn find(hands: &mut Hands) -> anyhow::Result<()> {
    hands.follow("Machines")?;
    hands.tab.shows(&Find::heading("Machines").exact(), 15)?;
    hands.arrived()?;
    let rows = Find::css("#found tbody tr");
    ensure!(hands.tab.count(&rows)? > 20, "all machines are listed at first");
    hands.write("searchbox", "Name, address, tag or fact", "#search", "palletiser")?;
    if !hands.is_live() {
        hands.press("Search")?;
        hands.tab.address("q=palletiser")?;
        hands.arrived()?;
    }
    hands.tab.hides(&Find::link("press-0"), 15)?;
    ensure!(hands.tab.count(&rows)? == 1, "one machine fits");
    hands.follow(MACHINE)?;
    hands.tab.shows(&Find::heading("Look into it"), 15)?;
    hands.arrived()
}

/// Three checks: one is moved, one copied and removed again.
fn draft(hands: &mut Hands, port: u16, title: &str) -> anyhow::Result<()> {
    hands.choose("Begin with", "ping")?;
    hands.press("Draft a sequence")?;
    hands.tab.shows(&Find::heading("Draft").exact(), 15)?;
    hands.arrived()?;
    hands.write("textbox", "Title", "#draft", title)?;
    hands.write("textbox", "host", "#step-1", "127.0.0.1")?;
    hands.write("spinbutton", "count", "#step-1", "2")?;
    add(hands, "tcp connect", 2)?;
    hands.write("textbox", "host", "#step-2", "127.0.0.1")?;
    hands.write("spinbutton", "port", "#step-2", &port.to_string())?;
    add(hands, "disk usage", 3)?;
    hands.write("textbox", "path", "#step-3", "/")?;
    for (press, at, count) in [("Copy step 3", 4, 4), ("Remove step 4", 3, 3)] {
        hands.press(press)?;
        at_step(hands, at, count).with_context(|| press.to_owned())?;
    }
    if hands.drags() {
        hands.drag("#step-3 .grip", "#step-2 .grip")?;
        // A number is given by the page that the saved draft is shown in.
        hands.tab.shows(&Find::text("disk usage").inside(Find::css("#step-2 legend")), 15)?;
        hands.arrived()?;
    } else {
        hands.press("Move step 3 up")?;
        at_step(hands, 2, 3)?;
    }
    let order = hands.tab.texts(&Find::css("#draft legend"))?;
    let is_ordered =
        order.iter().zip(["ping", "disk usage", "tcp connect"]).all(|(step, probe)| step.contains(probe));
    ensure!(is_ordered && order.len() == 3, "the steps are {order:?}");
    let typed = hands.tab.value(&Find::role("spinbutton", "port").inside(Find::css("#step-3")))?;
    ensure!(typed == port.to_string(), "what was typed moved with its step, but the port is {typed:?}");
    Ok(())
}

fn add(hands: &mut Hands, probe: &str, at: usize) -> anyhow::Result<()> {
    hands.choose("Another step", probe)?;
    hands.press("Add the step")?;
    at_step(hands, at, at).with_context(|| format!("adding {probe}"))
}

/// Waits until the page leads to step `at` of `count`.
fn at_step(hands: &mut Hands, at: usize, count: usize) -> anyhow::Result<()> {
    hands.tab.address(&format!("#step-{at}"))?;
    hands.arrived()?;
    let steps = hands.tab.count(&Find::css("#draft .step"))?;
    ensure!(steps == count, "the draft has {steps} steps, not {count}");
    Ok(())
}

/// From here on the page itself remembers when it says that all is done; a reload would make it forget.
fn watch(hands: &Hands) -> anyhow::Result<()> {
    if hands.is_live() { hands.tab.watch("1 step needs a look") } else { Ok(()) }
}

fn until_done(stage: &Stage, hands: &mut Hands) -> anyhow::Result<()> {
    if hands.is_live() {
        stage.browser.arrivals(&[&hands.tab], ANSWER_WITHIN_SECONDS)?;
    } else {
        let until = Instant::now() + Duration::from_secs(ANSWER_WITHIN_SECONDS);
        while hands.tab.count(&Find::text("1 step needs a look"))? == 0 {
            ensure!(Instant::now() < until, "not done within {ANSWER_WITHIN_SECONDS} s");
            hands.reload()?;
        }
    }
    let verdict = hands.tab.texts(&Find::css(".result .big"))?.concat();
    ensure!(verdict.contains("Done: 1 step needs a look"), "the verdict is {verdict:?}");
    Ok(())
}

/// The one finding, and nothing else, is named at the top.
fn read(hands: &Hands, port: u16) -> anyhow::Result<()> {
    let findings = hands.tab.texts(&Find::css(".findings li"))?;
    let [finding] = &findings[..] else { anyhow::bail!("one finding was to be told: {findings:?}") };
    let fault = format!("127.0.0.1:{port} refused the connection");
    ensure!(finding.contains("tcp connect") && finding.contains(&fault), "it tells {finding:?}");
    Ok(())
}

/// Looks for a word in the outputs.
fn look(hands: &mut Hands) -> anyhow::Result<()> {
    hands.write("searchbox", "Find in the outputs", ".result", "refused")?;
    hands.press("Find")?;
    hands.tab.address("find=refused")?;
    hands.arrived()?;
    let marked = hands.tab.texts(&Find::css(".output mark"))?;
    let is_found = !marked.is_empty() && marked.iter().all(|text| text == "refused");
    ensure!(is_found, "it marks {marked:?}");
    Ok(())
}

fn note(hands: &mut Hands) -> anyhow::Result<()> {
    let text = "The gateway of line 2 is off; electrician called.";
    hands.write("textbox", "Add a note for the next shift", ".result", text)?;
    hands.press("Add the note")?;
    hands.tab.shows(&Find::text(text).inside(Find::css("blockquote")), 15)?;
    hands.arrived()
}

/// Runs it once more and sees that end as well.
fn again(stage: &Stage, hands: &mut Hands) -> anyhow::Result<()> {
    hands.press("Run again")?;
    hands.tab.shows(&Find::link("an earlier one"), 15)?;
    hands.arrived()?;
    watch(hands)?;
    until_done(stage, hands)
}
