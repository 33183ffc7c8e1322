//! Clients and sites as they are listed, each with the forms that change it.

use maud::{Markup, html};
use tidegate_core::api::{ClientView, SiteView};
use tidegate_core::id::ClientId;
use tidegate_core::time::Timestamp;
use tidegate_core::window::windows_text;
use tidegate_core::words::one_line;

use crate::pages::words;
use crate::pages::wrong::Wrong;
use crate::pages::zones;

/// Where a mistake in a client's new site is told.
pub(super) fn new_site_place(client: ClientId) -> String {
    format!("new-site-{client}")
}

/// A client, its sites, and what can be changed of them.
pub(super) fn client_card(
    client: &ClientView,
    sites: &[&SiteView],
    now: Timestamp,
    wrong: &Wrong<'_>,
) -> Markup {
    let (place, new) = (client.id.to_string(), new_site_place(client.id));
    let shown = one_line(&client.name);
    html! {
        section .card aria-label=(shown) {
            div .heading {
                h2 { (shown) }
                a href={ "/machines?client=" (client.id) } { "Its machines" }
            }
            @if sites.is_empty() { p .empty-line { "No sites yet: machines need one to belong to." } }
            @else { (sites_table(sites, now, wrong)) }
            div .deeds {
                details .confirm open[wrong.is_at(&new)] {
                    summary .button .small aria-label={ "Add a site to " (shown) } { "Add a site …" }
                    (wrong.told(&new))
                    form method="post" action={ "/settings/clients/" (client.id) "/sites" } {
                        (name_field(&new, "Name of the site", "", "Plant 3", wrong))
                        (zone_field(&new, "", wrong))
                        (windows_field(&new, "", wrong))
                        button { "Make the site" }
                    }
                }
                details .confirm open[wrong.is_at(&place)] {
                    summary .button .small aria-label={ "Rename the client " (shown) } { "Rename the client …" }
                    (wrong.told(&place))
                    form method="post" action={ "/settings/clients/" (client.id) } {
                        (name_field(&place, "New name", &client.name, "", wrong))
                        button { "Rename the client" }
                    }
                }
            }
        }
    }
}

fn sites_table(sites: &[&SiteView], now: Timestamp, wrong: &Wrong<'_>) -> Markup {
    html! {
        p .fine { (words::count(sites.len(), "site")) }
        table .list {
            thead { tr { th { "Site" } th { "Time zone" } th { "Maintenance windows" } th { "Change" } } }
            tbody {
                @for site in sites {
                    tr {
                        td data-label="Site" { a .name href={ "/machines?site=" (site.id) } { (one_line(&site.name)) } }
                        td data-label="Time zone" { (zones::with_clock(&site.time_zone, now)) }
                        td data-label="Maintenance windows" {
                            @if site.windows.is_empty() { span .fine { "none planned" } } @else { (words::windows(&site.windows)) }
                        }
                        td data-label="Change" { (site_changes(site, wrong)) }
                    }
                }
            }
        }
    }
}

fn site_changes(site: &SiteView, wrong: &Wrong<'_>) -> Markup {
    let (place, shown) = (site.id.to_string(), one_line(&site.name));
    html! {
        div .deeds {
            details .confirm open[wrong.is_at(&place)] {
                summary .button .small aria-label={ "Edit the site " (shown) } { "Edit …" }
                (wrong.told(&place))
                form method="post" action={ "/settings/sites/" (site.id) } {
                    (name_field(&place, "Name", &site.name, "", wrong))
                    (zone_field(&place, &site.time_zone, wrong))
                    (windows_field(&place, &windows_text(&site.windows), wrong))
                    button { "Save the site" }
                }
            }
            a .button .small href={ "/machines/new?site=" (site.id) } aria-label={ "Add a machine to " (shown) } { "Add a machine" }
        }
    }
}

/// The field of a name.
pub(super) fn name_field(place: &str, label: &str, name: &str, example: &str, wrong: &Wrong<'_>) -> Markup {
    html! {
        label { (label)
            input name="name" required maxlength="200" autocomplete="off" placeholder=(example)
                value=(wrong.in_field(place, "name", name)) autofocus[wrong.is_at(place)];
        }
    }
}

fn zone_field(place: &str, zone: &str, wrong: &Wrong<'_>) -> Markup {
    html! {
        label { "Time zone"
            input name="time_zone" list=(zones::LIST) maxlength="64" autocomplete="off" spellcheck="false"
                placeholder="Europe/Berlin" value=(wrong.in_field(place, "time_zone", zone));
            span .fine { "Left empty: UTC." }
        }
    }
}

fn windows_field(place: &str, windows: &str, wrong: &Wrong<'_>) -> Markup {
    html! {
        label { "Maintenance windows"
            input name="windows" maxlength="400" autocomplete="off" spellcheck="false"
                placeholder="Mon-Fri 02:00-02:12, Sat 22:00-06:00" value=(wrong.in_field(place, "windows", windows));
            span .fine { "On the site's clock, with commas between. Left empty: nothing is planned." }
        }
    }
}
