//! What metrics are there, and where are they kept?

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, Registry,
};

/// Upper bounds in seconds for the work on a micro-batch.
pub(super) const SHORT: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds in seconds for what waits for an object store.
pub(super) const LONG: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
/// Upper bounds for candidates for each record.
pub(super) const RATIOS: &[f64] =
    &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// Upper bounds for records in one component.
pub(super) const DECISIONS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0, 1000.0, 5000.0];

/// What one metric is called and means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its full name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it means, in a sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

impl Spec {
    /// The unit of its values: `seconds`, `bytes`, or none for counts.
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
    }
}

/// Where metrics are registered and noted down as they are made.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) registry: Registry,
    pub(super) specs: Vec<Spec>,
}

type Labels = &'static [&'static str];

impl Shelf {
    fn put<M: Collector + Clone + 'static>(
        &mut self,
        made: prometheus::Result<M>,
        spec: Spec,
    ) -> M {
        let metric = made.expect("names, labels and bounds are constants that the tests have seen");
        self.registry.register(Box::new(metric.clone())).expect("each name is given once");
        self.specs.push(spec);
        metric
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> IntCounter {
        self.put(IntCounter::new(name, help), Spec { name, kind: "counter", help, labels: &[] })
    }

    /// A counter of what is not whole.
    pub(super) fn measure(&mut self, name: &'static str, help: &'static str) -> Counter {
        self.put(Counter::new(name, help), Spec { name, kind: "counter", help, labels: &[] })
    }

    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels,
    ) -> IntCounterVec {
        let spec = Spec { name, kind: "counter", help, labels };
        self.put(IntCounterVec::new(Opts::new(name, help), labels), spec)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        self.put(Gauge::new(name, help), Spec { name, kind: "gauge", help, labels: &[] })
    }

    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels,
    ) -> GaugeVec {
        let spec = Spec { name, kind: "gauge", help, labels };
        self.put(GaugeVec::new(Opts::new(name, help), labels), spec)
    }

    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &[f64],
    ) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        let spec = Spec { name, kind: "histogram", help, labels: &[] };
        self.put(Histogram::with_opts(options), spec)
    }

    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &[f64],
        labels: Labels,
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        let spec = Spec { name, kind: "histogram", help, labels };
        self.put(HistogramVec::new(options, labels), spec)
    }
}
