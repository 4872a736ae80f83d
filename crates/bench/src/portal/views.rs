//! The figures of the views of one page.

use anyhow::Result;
use webhooks_costs::{Meter, PriceList};

use super::{
    page::Page,
    visitor::{View, Visitor, files},
};
use crate::{stats::Measured, stub_aws::StubAws};

/// The memory of the function, as in template.yaml.
const MEMORY_MEBIBYTES: f64 = 256.0;
/// The memory with which a function has one vCPU (Lambda Developer Guide, "Configure function
/// memory"). With less memory it has that share of it.
const MEBIBYTES_OF_A_VCPU: f64 = 1_769.0;
/// The assumed time of a call to DynamoDB.
const CALL_MILLIS: f64 = 5.0;

/// Describes the computation of the billed time.
pub(super) fn billed_time() -> String {
    format!(
        "the CPU time, at the share of a vCPU that {MEMORY_MEBIBYTES} MB have, and {CALL_MILLIS} ms \
         for each AWS call, one after the other"
    )
}

/// The views of a page.
pub(super) struct Views {
    pub(super) page: &'static str,
    pub(super) cpu_millis: Vec<f64>,
    pub(super) read_units: f64,
    pub(super) aws_calls: f64,
    pub(super) bytes: f64,
    pub(super) first_visit_bytes: f64,
    pub(super) logged_bytes: f64,
}

impl Views {
    /// Requests a page with all its files. Its time does not count.
    pub(super) async fn first_visit(
        visitor: &mut Visitor,
        aws: &StubAws,
        page: &Page,
    ) -> Result<Self> {
        let view = visitor.view(aws, &page.path, &page.cookie).await?;
        let mut first_visit_bytes = view.bytes;
        for file in files(&view.body) {
            first_visit_bytes += visitor.view(aws, file, &page.cookie).await?.bytes;
        }
        let mut views = Self {
            page: page.name,
            cpu_millis: Vec::new(),
            read_units: 0.0,
            aws_calls: 0.0,
            bytes: 0.0,
            first_visit_bytes,
            logged_bytes: 0.0,
        };
        views.add(&view);
        views.cpu_millis.clear();
        Ok(views)
    }

    /// Adds a view. What repeats in every view is the largest.
    pub(super) fn add(&mut self, view: &View) {
        self.cpu_millis.push(view.cpu_millis);
        for (most, one) in [
            (&mut self.read_units, view.read_units),
            (&mut self.aws_calls, view.aws_calls),
            (&mut self.bytes, view.bytes),
            (&mut self.logged_bytes, view.logged_bytes),
        ] {
            *most = most.max(one);
        }
    }

    /// Returns the CPU time of the view that took most.
    pub(super) fn worst_cpu_millis(&self) -> f64 {
        self.cpu_millis.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Returns the cost of one view, by the median of its CPU time.
    pub(super) fn dollars(&self, prices: &PriceList) -> f64 {
        let cpu = Measured::of(&self.cpu_millis).median;
        let billed = cpu * MEBIBYTES_OF_A_VCPU / MEMORY_MEBIBYTES + self.aws_calls * CALL_MILLIS;
        let gigabyte_seconds = billed.ceil() / 1e3 * MEMORY_MEBIBYTES / 1_024.0;
        let used = [
            (Meter::LambdaRequest, 1.0),
            (Meter::LambdaGigabyteSecond, gigabyte_seconds),
            (Meter::ReadUnit, self.read_units),
            (Meter::LoggedGigabyte, self.logged_bytes / 1e9),
        ];
        used.into_iter()
            .map(|(meter, amount)| prices.dollars(meter, amount))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_that_of_the_template() {
        let template = include_str!("../../../../template.yaml");
        let (_, function) = template.split_once("\n  PortalFunction:\n").unwrap();
        let (_, memory) = function.split_once("      MemorySize: ").unwrap();
        let (memory, _) = memory.split_once('\n').unwrap();
        assert!((memory.parse::<f64>().unwrap() - MEMORY_MEBIBYTES).abs() < 1e-9);
    }

    #[test]
    fn a_view_costs_its_request_its_time_its_reads_and_its_logs() {
        let views = Views {
            page: "a",
            cpu_millis: vec![2.0],
            read_units: 10.0,
            aws_calls: 3.0,
            bytes: 0.0,
            first_visit_bytes: 0.0,
            logged_bytes: 1_000.0,
        };
        // 2 ms of CPU are 13.8 ms with 256 MB, and with three calls 29 ms are billed.
        let time = 0.029 * 0.25 * 0.000_013_333_4;
        let expected = 0.2e-6 + time + 10.0 * 0.125e-6 + 1e-6 * 0.5;
        let dollars = views.dollars(&PriceList::us_east_1());
        assert!((dollars - expected).abs() < 1e-12, "{dollars}");
    }
}
