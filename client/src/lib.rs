//! The client side of MQTT.
//!
//! [`load`] puts a broker under load, accounts for every message, and says what a delivery cost.

pub mod load;
