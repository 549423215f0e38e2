//! `/metrics`: everything that the broker counts, in Prometheus's text format.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::http::header::ContentType;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};
use actors::Figures;
use actors::broker::counters::Counters;

use crate::Broker;
use crate::access::Scraper;
pub(crate) use requests::{Requests, count_request};

mod classes;
mod connections;
mod family;
mod house;
mod law;
mod messages;
mod page;
mod process;
mod requests;
#[cfg(test)]
mod tests;

/// Every family, chapter by chapter.
const CHAPTERS: [(&str, &[&family::Family]); 6] = [
    messages::FAMILIES,
    law::FAMILIES,
    classes::FAMILIES,
    connections::FAMILIES,
    house::FAMILIES,
    process::FAMILIES,
];

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(metrics);
}

/// What the broker has counted.
#[get("/metrics")]
async fn metrics(_: Scraper, Broker(operations): Broker, requests: Data<Arc<Requests>>) -> HttpResponse {
    match text(&operations.figures().await, &requests) {
        Ok(text) => HttpResponse::Ok()
            .insert_header(("Content-Type", prometheus::TEXT_FORMAT))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "the figures cannot be written");
            HttpResponse::InternalServerError()
                .insert_header(ContentType::plaintext())
                .body("the figures cannot be written\n")
        }
    }
}

fn text(figures: &Figures, requests: &Arc<Requests>) -> Result<String, prometheus::Error> {
    let mut counters = Counters::default();
    for line in figures.lines.iter().flatten() {
        counters.add(&line.counters);
    }
    let mut page = page::Page::default();
    messages::fill(&mut page, figures, &counters);
    law::fill(&mut page, figures, &counters);
    classes::fill(&mut page, figures, &counters);
    connections::fill(&mut page, figures, &counters);
    house::fill(&mut page, figures, requests);
    process::fill(&mut page);
    page.text()
}

/// The text of docs/METRICS.md: every family with its labels and its meaning.
#[must_use]
pub fn manual() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         <!-- Written by `strowger generate` from admin/src/metrics. -->\n\n\
         `GET /metrics` on the listener for operators (`admin.bind`) answers in Prometheus's text format. Units are seconds\n\
         and bytes. No label holds a client, a user or a topic. Figures count from the start of the broker; those of lines\n\
         are added up unless they have the label `line`.\n\n\
         conf/prometheus has a configuration and alerts for Prometheus, conf/grafana a dashboard.\n",
    );
    for (title, families) in CHAPTERS {
        let _ = write!(
            text,
            "\n## {title}\n\n| Name | Kind | Labels | Meaning |\n|---|---|---|---|\n"
        );
        for family in families {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, shape, labels, help) = (family.name, family.shape.word(), labels.join(", "), family.help);
            let _ = writeln!(text, "| `{name}` | {shape} | {labels} | {help} |");
        }
    }
    text
}
