//! What people know of a machine, and what they call it.

use maud::{Markup, html};
use tidegate_core::api::EndpointView;
use tidegate_core::words::{lines, one_line};

use crate::pages::moment::Moment;
use crate::pages::places::Places;
use crate::pages::words::in_field;

/// What people know of it: notes for the next shift, tags, its name and place.
pub(super) fn care(machine: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        section .card aria-label="Notes" {
            h2 { "Notes" }
            @for note in &machine.notes {
                blockquote {
                    p .plain { (lines(&note.text)) }
                    footer .fine { (one_line(&note.by)) ", " (moment.at(note.at)) }
                }
            }
            form .stack method="post" action={ "/machines/" (machine.id) "/notes" } data-keep="true" {
                label { "What the next one should know of this machine" textarea name="text" rows="2" maxlength="10000" required {} }
                button { "Add the note" }
            }
        }
        section .card aria-label="Name, place and tags" {
            details {
                summary { h2 { "Name, place and tags" } }
                form .stack method="post" action={ "/machines/" (machine.id) "/edit" } data-keep="true" {
                    input type="hidden" name="revision" value=(machine.revision);
                    label { "Name" input name="name" value=(in_field(&machine.name)) maxlength="200" required; }
                    label { "Site"
                        select name="site" {
                            @for (client, sites) in places.tree() {
                                optgroup label=(one_line(&client.name)) {
                                    @for site in sites {
                                        option value=(site.id) selected[site.id == machine.site_id] { (one_line(&site.name)) }
                                    }
                                }
                            }
                        }
                    }
                    label { "Tags" input name="tags" value=(in_field(&machine.tags.join(", "))) placeholder="line 4, packaging, Windows 7";
                        span .fine { "With commas between them; the search finds them." } }
                    button { "Save" }
                }
            }
        }
    }
}
