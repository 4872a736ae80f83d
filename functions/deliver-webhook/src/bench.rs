//! The configuration that a measurement adds.

use std::net::SocketAddr;
use std::path::PathBuf;

webhooks_lambda::config! {
    /// The surroundings of a measurement.
    BenchConfig {
        /// A file with the authority that receivers' certificates come from.
        authority_file: PathBuf = required("BENCH_AUTHORITY_FILE"),
        /// The name server.
        name_server: SocketAddr = required("BENCH_NAME_SERVER"),
    }
}
