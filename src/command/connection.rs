//! The options that `pub` and `sub` share: where to connect, and as whom.

use std::ffi::OsString;

use bytes::Bytes;
use bytestring::ByteString;
use clap::{Args, ValueEnum};
use mqtt_codec::{
    ClientId, Connect, Disconnect, DisconnectReason, QoS, TopicFilter, TopicName, Version, Violation, Will,
};

use crate::client::{Opening, Trace, tls};
use crate::command::property::Properties;
use crate::failure::Failure;

/// Session expiry of a session that never ends.
const FOR_EVER: u32 = u32::MAX;

#[derive(Debug, Args)]
#[group(skip)]
#[command(disable_help_flag = true, next_help_heading = "Connection")]
pub(crate) struct Options {
    /// The broker's host
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// The broker's port [default: 1883; with TLS: 8883]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// Protocol version
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "5")]
    protocol_version: ProtocolVersion,
    /// Client id; without one the broker chooses
    #[arg(short, long, value_name = "ID", value_parser = client_id)]
    id: Option<ClientId>,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password
    #[arg(short = 'P', long, value_name = "PASSWORD", allow_hyphen_values = true)]
    pw: Option<OsString>,
    /// Ping after this many seconds of silence; 0 for never
    #[arg(short, long, value_name = "SECS", default_value_t = 60)]
    keepalive: u16,
    /// Keep the session across connections (needs -i)
    #[arg(short = 'c', long, requires = "id")]
    disable_clean_session: bool,
    /// Life of the session after the connection; -1 for ever; 5.0
    ///
    /// Without it, the session ends with the connection, and with -c it never ends.
    #[arg(short = 'x', long, value_name = "SECS", allow_hyphen_values = true, value_parser = session_expiry)]
    session_expiry_interval: Option<u32>,
    /// Set a property, such as -D connect receive-maximum 10; 5.0
    ///
    /// A user-property takes a name and a value: -D publish user-property name value. May be repeated.
    #[arg(short = 'D', long, num_args = 3..=4, value_names = ["PACKET", "PROPERTY", "VALUE"])]
    property: Vec<String>,
    /// Print each packet on standard error
    #[arg(short, long)]
    debug: bool,
    /// Topic of the will, published if this client is lost
    #[arg(long, value_name = "TOPIC", value_parser = topic_name, help_heading = "Will")]
    will_topic: Option<TopicName>,
    /// Payload of the will [default: empty]
    #[arg(
        long,
        value_name = "PAYLOAD",
        requires = "will_topic",
        allow_hyphen_values = true,
        help_heading = "Will"
    )]
    will_payload: Option<OsString>,
    /// QoS of the will
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = qos, default_value = "0", help_heading = "Will")]
    will_qos: QoS,
    /// Retain the will
    #[arg(long, requires = "will_topic", help_heading = "Will")]
    will_retain: bool,
    #[command(flatten)]
    tls: tls::Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolVersion {
    #[value(name = "5", aliases = ["5.0", "mqttv5", "mqttv50", "50"])]
    V5,
    #[value(name = "311", aliases = ["3.1.1", "mqttv311"])]
    V311,
    #[value(name = "31", aliases = ["3.1", "mqttv31"])]
    V31,
}

impl Options {
    pub(crate) fn version(&self) -> Version {
        match self.protocol_version {
            ProtocolVersion::V5 => Version::V5,
            ProtocolVersion::V311 => Version::V311,
            ProtocolVersion::V31 => Version::V31,
        }
    }

    /// Reads the properties given with `-D`; `packets` are those that the command sends.
    pub(crate) fn properties(&self, packets: &[&str]) -> Result<Properties, Failure> {
        if self.version() != Version::V5 {
            if !self.property.is_empty() {
                return Err(Failure::Usage(
                    "properties (-D) exist in MQTT 5.0 only; add -V 5".to_owned(),
                ));
            }
            if self.session_expiry_interval.is_some() {
                return Err(Failure::Usage(
                    "the session expiry (-x) exists in MQTT 5.0 only; add -V 5".to_owned(),
                ));
            }
        }
        Properties::parse(&self.property, packets).map_err(Failure::Usage)
    }

    /// The way to the broker; `name` is that of the command.
    pub(crate) fn opening(&self, name: &'static str, properties: &Properties) -> Result<Opening, Failure> {
        let version = self.version();
        if self.pw.is_some() && self.username.is_none() && version != Version::V5 {
            return Err(Failure::Usage(format!(
                "MQTT {version} has no password without a user name; add -u NAME"
            )));
        }
        let mut connect = Connect::new(version, self.client_id(name)?);
        connect.clean_start = !self.disable_clean_session;
        connect.keep_alive_secs = self.keepalive;
        connect.username = self.username.as_deref().map(ByteString::from);
        connect.password = self.pw.clone().map(payload);
        connect.properties = properties.connect.clone();
        if version == Version::V5 {
            let kept = self.disable_clean_session.then_some(FOR_EVER);
            let expiry = self
                .session_expiry_interval
                .or(connect.properties.session_expiry_secs)
                .or(kept);
            connect.properties.session_expiry_secs = expiry;
        }
        connect.will = self.will_topic.clone().map(|topic| Will {
            topic,
            payload: self.will_payload.clone().map(payload).unwrap_or_default(),
            qos: self.will_qos,
            retain: self.will_retain,
            delay_secs: properties.will_delay_secs,
            properties: properties.will.clone().map(Box::new),
        });
        let trace = Trace { on: self.debug, name };
        Ok(Opening {
            host: self.host.clone(),
            port: self.port.unwrap_or(self.tls.port()),
            security: self.tls.security(&self.host)?,
            connect,
            trace,
        })
    }

    /// 3.1 has no empty client id, so one is made up.
    fn client_id(&self, name: &str) -> Result<ClientId, Failure> {
        match (&self.id, self.version()) {
            (Some(id), _) => Ok(id.clone()),
            (None, Version::V5 | Version::V311) => client_id("").map_err(Failure::Usage),
            (None, Version::V31) => {
                client_id(&format!("{}-{}", name.replace(' ', "-"), std::process::id())).map_err(Failure::Usage)
            }
        }
    }
}

/// The goodbye of a command that has done its work.
pub(crate) fn goodbye(properties: &Properties) -> Disconnect {
    let mut goodbye = Disconnect::new(DisconnectReason::NormalDisconnection);
    goodbye.session_expiry_secs = properties.disconnect_expiry_secs;
    goodbye.user_properties = properties.disconnect.clone();
    goodbye
}

/// The bytes of an argument, whatever their encoding.
pub(crate) fn payload(argument: OsString) -> Bytes {
    Bytes::from(argument.into_encoded_bytes())
}

pub(crate) fn qos(text: &str) -> Result<QoS, String> {
    text.parse()
        .ok()
        .and_then(|number: u8| QoS::try_from(number).ok())
        .ok_or_else(|| "QoS is 0, 1 or 2".to_owned())
}

pub(crate) fn at_least_one(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| "a whole number from 1 up is wanted".to_owned())
}

pub(crate) fn topic_name(text: &str) -> Result<TopicName, String> {
    TopicName::new(text).map_err(detail)
}

pub(crate) fn topic_filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::new(text).map_err(detail)
}

fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::new(text).map_err(detail)
}

fn detail(violation: Violation) -> String {
    violation.detail().to_owned()
}

fn session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" => Ok(FOR_EVER),
        _ => text
            .parse()
            .map_err(|_| "seconds from 0 to 4294967295, or -1 for ever".to_owned()),
    }
}
