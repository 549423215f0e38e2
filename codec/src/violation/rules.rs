//! Every rule that the decoder enforces, with its place in 3.1.1 and in 5.0.
//!
//! Where a rule exists in one version only, the other column holds the nearest section; it is never shown.

/// What kind of wrong it is; decides the reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Malformed,
    Protocol,
    ProtocolVersion,
    TooLarge,
    TopicAlias,
    TopicName,
    TopicFilter,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) fault: Fault,
    pub(crate) v311: &'static str,
    pub(crate) v5: &'static str,
    pub(crate) detail: &'static str,
}

/// Stands for the section in which 5.0 describes the properties of the packet at hand.
pub(crate) const PROPERTIES: &str = "properties";

macro_rules! rules {
    ($($name:ident: $fault:ident, $v311:literal, $v5:expr, $detail:literal;)*) => {
        $(pub(crate) static $name: Rule = Rule { fault: Fault::$fault, v311: $v311, v5: $v5, detail: $detail };)*

        /// All of them, for the tests.
        #[cfg(test)]
        pub(crate) static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    // The frame.
    PACKET_TYPE: Malformed, "section 2.2.1", "section 2.1.2", "reserved packet type";
    PACKET_TOO_LARGE: TooLarge, "section 2.2.3", "MQTT-3.2.2-15", "larger than the receiver takes";
    VARINT_TOO_LONG: Malformed, "section 2.2.3", "section 1.5.5", "variable byte integer of more than four bytes";
    VARINT_NOT_MINIMAL: Malformed, "section 2.2.3", "MQTT-1.5.5-1", "variable byte integer longer than needed";
    CUT_SHORT: Malformed, "section 2.2.3", "section 2.1.4", "a field reaches beyond the end of the packet";
    LEFT_OVER: Malformed, "section 2.2.3", "section 2.1.4", "bytes left over after the last field";
    FLAGS: Malformed, "MQTT-2.2.2-2", "MQTT-2.1.3-1", "reserved flags of the fixed header";
    FLAGS_PUBREL: Malformed, "MQTT-3.6.1-1", "MQTT-3.6.1-1", "reserved flags of the fixed header";
    FLAGS_SUBSCRIBE: Malformed, "MQTT-3.8.1-1", "MQTT-3.8.1-1", "reserved flags of the fixed header";
    FLAGS_UNSUBSCRIBE: Malformed, "MQTT-3.10.1-1", "MQTT-3.10.1-1", "reserved flags of the fixed header";
    FLAGS_DISCONNECT: Malformed, "MQTT-3.14.1-1", "MQTT-3.14.1-1", "reserved flags of the fixed header";
    FLAGS_AUTH: Malformed, "section 2.2.1", "MQTT-3.15.1-1", "reserved flags of the fixed header";

    // Fields that many packets share.
    ILL_FORMED_UTF8: Malformed, "MQTT-1.5.3-1", "MQTT-1.5.4-1", "ill-formed UTF-8";
    NULL_CHARACTER: Malformed, "MQTT-1.5.3-2", "MQTT-1.5.4-2", "the character U+0000 in a string";
    PACKET_ID_ZERO: Protocol, "MQTT-2.3.1-1", "MQTT-2.2.1-3", "packet identifier 0";
    PACKET_ID_ZERO_ACK: Protocol, "MQTT-2.3.1-6", "MQTT-2.2.1-5", "packet identifier 0";
    PACKET_ID_ZERO_SUBACK: Protocol, "MQTT-2.3.1-7", "MQTT-2.2.1-6", "packet identifier 0";

    // Properties.
    PROPERTY_UNKNOWN: Malformed, "section 2.2", "section 2.2.2.2", "unknown property";
    PROPERTY_FOREIGN: Malformed, "section 2.2", "section 2.2.2.2", "a property that this packet must not carry";
    PROPERTY_TWICE: Protocol, "section 2.2", PROPERTIES, "a property given twice";
    PROPERTY_NOT_BOOLEAN: Protocol, "section 2.2", PROPERTIES, "a property is neither 0 nor 1";
    RECEIVE_MAXIMUM_ZERO: Protocol, "section 2.2", PROPERTIES, "Receive Maximum 0";
    PACKET_SIZE_ZERO: Protocol, "section 2.2", PROPERTIES, "Maximum Packet Size 0";
    SUBSCRIPTION_ID_ZERO: Protocol, "section 2.2", PROPERTIES, "Subscription Identifier 0";
    AUTHENTICATION_DATA_ALONE: Protocol, "section 2.2", PROPERTIES, "Authentication Data without a method";
    AUTHENTICATION_METHOD_MISSING: Protocol, "section 2.2", "section 3.15.2.2.2", "no Authentication Method";
    TOPIC_ALIAS_ZERO: TopicAlias, "section 2.2", "MQTT-3.3.2-8", "Topic Alias 0";

    // Topics.
    TOPIC_WILDCARD: TopicName, "MQTT-4.7.1-1", "MQTT-4.7.0-1", "wildcard in a Topic Name";
    PUBLISH_WILDCARD: TopicName, "MQTT-3.3.2-2", "MQTT-3.3.2-2", "wildcard in the Topic Name";
    RESPONSE_TOPIC_WILDCARD: Protocol, "section 2.2", "MQTT-3.3.2-14", "wildcard in the Response Topic";
    TOPIC_EMPTY: TopicName, "MQTT-4.7.3-1", "MQTT-4.7.3-1", "empty Topic Name";
    TOPIC_TOO_LONG: Malformed, "MQTT-4.7.3-3", "MQTT-4.7.3-3", "topic of more than 65,535 bytes";
    TOPIC_MISSING: Protocol, "MQTT-4.7.3-1", "section 3.3.2.1", "empty Topic Name without a Topic Alias";
    FILTER_EMPTY: TopicFilter, "MQTT-4.7.3-1", "MQTT-4.7.3-1", "empty Topic Filter";
    FILTER_MULTI_LEVEL: TopicFilter, "MQTT-4.7.1-2", "MQTT-4.7.1-1", "# is not the whole last level of the Topic Filter";
    FILTER_SINGLE_LEVEL: TopicFilter, "MQTT-4.7.1-3", "MQTT-4.7.1-2", "+ is not a whole level of the Topic Filter";
    SHARE_NAME_EMPTY: TopicFilter, "section 4.7.2", "MQTT-4.8.2-1", "$share without a share name";
    SHARE_SYNTAX: TopicFilter, "section 4.7.2", "MQTT-4.8.2-2", "$share without a filter, or a wildcard in the share name";

    // CONNECT and CONNACK.
    FIRST_NOT_CONNECT: Protocol, "MQTT-3.1.0-1", "MQTT-3.1.0-1", "the first packet is not CONNECT";
    SECOND_CONNECT: Protocol, "MQTT-3.1.0-2", "MQTT-3.1.0-2", "a second CONNECT";
    PROTOCOL_NAME: Malformed, "MQTT-3.1.2-1", "MQTT-3.1.2-1", "unknown protocol name";
    PROTOCOL_LEVEL: ProtocolVersion, "MQTT-3.1.2-2", "MQTT-3.1.2-2", "unsupported protocol level";
    CONNECT_RESERVED: Malformed, "MQTT-3.1.2-3", "MQTT-3.1.2-3", "the reserved connect flag is set";
    WILL_QOS_3: Malformed, "MQTT-3.1.2-14", "MQTT-3.1.2-12", "Will QoS 3";
    WILL_QOS_ALONE: Malformed, "MQTT-3.1.2-13", "MQTT-3.1.2-11", "Will QoS without a will";
    WILL_RETAIN_ALONE: Malformed, "MQTT-3.1.2-15", "MQTT-3.1.2-13", "Will Retain without a will";
    PASSWORD_ALONE: Malformed, "MQTT-3.1.2-22", "section 3.1.2.9", "a password without a user name";
    CONNACK_FLAGS: Malformed, "section 3.2.2.1", "MQTT-3.2.2-1", "reserved acknowledge flags";
    SESSION_PRESENT_REFUSED: Protocol, "MQTT-3.2.2-4", "MQTT-3.2.2-6", "Session Present in a refusal";
    MAXIMUM_QOS: Protocol, "section 3.2", "section 3.2.2.3.4", "Maximum QoS is neither 0 nor 1";

    // PUBLISH.
    QOS_3: Malformed, "MQTT-3.3.1-4", "MQTT-3.3.1-4", "QoS 3";
    DUP_QOS_0: Malformed, "MQTT-3.3.1-2", "MQTT-3.3.1-2", "DUP with QoS 0";
    CLIENT_SENT_SUBSCRIPTION_ID: Protocol, "section 3.3", "MQTT-3.3.4-6", "a Subscription Identifier from a client";

    // SUBSCRIBE, UNSUBSCRIBE and their answers.
    SUBSCRIBE_EMPTY: Protocol, "MQTT-3.8.3-3", "MQTT-3.8.3-2", "no Topic Filter";
    SUBSCRIBE_RESERVED: Malformed, "MQTT-3.8.3-4", "MQTT-3.8.3-5", "reserved bits of the subscription options";
    SUBSCRIBE_QOS_3: Protocol, "MQTT-3.8.3-4", "section 3.8.3.1", "requested QoS 3";
    RETAIN_HANDLING_3: Protocol, "section 3.8.3", "section 3.8.3.1", "Retain Handling 3";
    NO_LOCAL_SHARED: Protocol, "section 3.8.3", "MQTT-3.8.3-4", "No Local on a shared subscription";
    UNSUBSCRIBE_EMPTY: Protocol, "MQTT-3.10.3-2", "MQTT-3.10.3-2", "no Topic Filter";
    SUBACK_EMPTY: Protocol, "section 3.9.3", "section 3.9.3", "no reason code";
    UNSUBACK_EMPTY: Protocol, "section 3.11.3", "section 3.11.3", "no reason code";

    // Reason codes that the packet must not carry.
    CONNACK_REASON: Protocol, "section 3.2.2.3", "MQTT-3.2.2-8", "unknown reason code";
    PUBACK_REASON: Protocol, "section 3.4.2", "MQTT-3.4.2-1", "unknown reason code";
    PUBREC_REASON: Protocol, "section 3.5.2", "MQTT-3.5.2-1", "unknown reason code";
    PUBREL_REASON: Protocol, "section 3.6.2", "MQTT-3.6.2-1", "unknown reason code";
    PUBCOMP_REASON: Protocol, "section 3.7.2", "MQTT-3.7.2-1", "unknown reason code";
    SUBACK_REASON: Protocol, "MQTT-3.9.3-2", "MQTT-3.9.3-2", "unknown reason code";
    UNSUBACK_REASON: Protocol, "section 3.11.3", "MQTT-3.11.3-2", "unknown reason code";
    DISCONNECT_REASON: Protocol, "section 3.14.2", "MQTT-3.14.2-1", "unknown reason code";
    DISCONNECT_REASON_OF_SERVER: Protocol, "section 3.14.2", "section 3.14.2.1", "a reason code that only a server may give";
    AUTH_REASON: Protocol, "section 2.2.1", "MQTT-3.15.2-1", "unknown reason code";
    AUTH_REASON_OF_SERVER: Protocol, "section 2.2.1", "section 3.15.2.1", "a reason code that only a server may give";
    AUTH_REASON_OF_CLIENT: Protocol, "section 2.2.1", "section 3.15.2.1", "a reason code that only a client may give";

    // The wrong side sent it.
    NOT_FROM_CLIENT: Protocol, "section 2.2.1", "section 2.1.2", "a packet that only a server may send";
    NOT_FROM_SERVER: Protocol, "section 2.2.1", "section 2.1.2", "a packet that only a client may send";
    SERVER_SENT_SESSION_EXPIRY: Protocol, "section 3.14", "MQTT-3.14.2-2", "a Session Expiry Interval from a server";
}
