//! A control plane with an owner and a token, served on free ports.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tidegate_core::api::TokenLife;
use tidegate_server::admin::{OwnerOptions, create_owner, create_token};
use tidegate_server::{Running, ServeOptions, Server};

use crate::client::Client;

pub(crate) const EMAIL: &str = "kim@msp.example";

/// A data directory with an owner.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) sign_in_link: String,
    pub(crate) token: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let owner = create_owner(&OwnerOptions {
            data: directory.path().join("data"),
            email: EMAIL.to_owned(),
            root_key: directory.path().join("root.pem"),
            url_hint: None,
        });
        let sign_in_link = owner.unwrap().sign_in_link;
        let token = create_token(&directory.path().join("data"), EMAIL, TokenLife::default()).unwrap();
        Self { directory, sign_in_link, token }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A path beside the data directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn options(&self) -> ServeOptions {
        ServeOptions::new(self.data(), free_port())
    }

    pub(crate) async fn serve(&self) -> Running {
        Server::start(self.options()).await.unwrap()
    }

    /// A connection of the owner's.
    pub(crate) async fn owner(&self, running: &Running) -> Client {
        Client::connect(running.addresses().people, Some(&self.token)).await
    }
}

impl Home {
    /// A connection without a token.
    pub(crate) async fn anybody(&self, running: &Running) -> Client {
        Client::connect(running.addresses().people, None).await
    }
}

/// Any free port of this machine.
pub(crate) fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Makes a client, a site and an enrolment code, and answers the code.
pub(crate) async fn enrolment_code(owner: &mut Client) -> String {
    let client = owner.post("/api/v1/clients", &json!({ "name": "Hartmann" })).await.expect(201).json();
    let site = json!({ "client_id": client["id"], "name": "Plant 2" });
    let site = owner.post("/api/v1/sites", &site).await.expect(201).json();
    let code = json!({ "site_id": site["id"], "uses": 100 });
    let code = owner.post("/api/v1/enrolment-codes", &code).await.expect(201).json();
    code["code"].as_str().unwrap().to_owned()
}
