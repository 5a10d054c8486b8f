//! How an instance is to run, as the command line says it.
//! Must not know how it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::cli::moment::{self, ClockStart};
use crate::cli::seed::Seed;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// How an instance is to run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address and port [default: $ACRITE_LISTEN, else 127.0.0.1:4443; for exec a free port]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    /// Folder that keeps everything [default: $ACRITE_DATA_DIR, else .acrite; for exec a temporary one]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep everything in a temporary folder, removed at the end
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,
    /// Let other users of the machine, and of containers with the same volume, read the certificates in the data folder
    #[arg(long, env = "ACRITE_SHARE_CA", value_parser = FalseyValueParser::new())]
    pub share_ca: bool,
    /// Refuse hosts that are not emulated instead of connecting to them
    #[arg(long)]
    pub offline: bool,
    /// Append audit records to FILE, besides audit.jsonl in the data folder
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// Folder for what diagnostic settings have written [default: diagnostics in the data folder]
    #[arg(long, value_name = "DIR")]
    pub diagnostics: Option<PathBuf>,
    /// What carries out runs of tasks: buildah, podman or docker [default: the first of them on PATH]. With it named, also
    /// runs that clients of other machines ask for
    #[arg(long, value_name = "PROGRAM")]
    pub builder: Option<PathBuf>,
    /// Log each request: status, error code, method, host, path, milliseconds
    #[arg(long)]
    pub log_requests: bool,
    /// How the log is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, env = "ACRITE_LOG_FORMAT", hide_env = true)]
    pub log_format: LogFormat,
    /// How long a registry may go on using a key that was revoked, as Azure does
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = moment::duration)]
    pub revocation_delay: Duration,
    /// How long a push takes to the registry's other regions, by the emulator's clock
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = moment::duration)]
    pub replication_delay: Duration,
    /// Start of the emulator's clock: an RFC 3339 time, `frozen`, a rate such as `60x`, or a time and one of those
    #[arg(long, value_name = "SPEC", default_value = "", hide_default_value = true, value_parser = moment::clock_start)]
    pub clock: ClockStart,
    /// Begin with the world of a snapshot: the name of one in the data folder that commands use here, or an exported file
    #[arg(long, value_name = "NAME|FILE")]
    pub snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub seed: Seed,
}

/// `127.0.0.1:4443`, `localhost:4443`, `:4443` or `4443`; the last three mean the loopback interface.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    let address = match port.parse::<u16>() {
        Ok(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => text.parse().ok(),
    };
    address.ok_or_else(|| format!("`{text}` is not an address such as 127.0.0.1:4443"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, address) in [
            ("127.0.0.1:4443", "127.0.0.1:4443"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:80", "[::1]:80"),
            (":0", "127.0.0.1:0"),
            ("5000", "127.0.0.1:5000"),
            ("localhost:5000", "127.0.0.1:5000"),
        ] {
            assert_eq!(listen_address(text).unwrap().to_string(), address, "{text}");
        }
        for bad in ["", "host:1", "127.0.0.1", "70000"] {
            assert!(listen_address(bad).is_err(), "{bad}");
        }
    }
}
