//! By what is a customer named on the command line?

use crate::pipeline::LookupKey;

/// An identifier of a customer.
#[derive(Debug, clap::Args)]
#[group(id = "subject", required = true, multiple = false)]
pub(super) struct Subject {
    /// An e-mail address, in any spelling.
    #[arg(long)]
    email: Option<String>,

    /// A phone number, in any spelling.
    #[arg(long)]
    phone: Option<String>,

    /// An identity id, a source's row key, or a loyalty, cookie, device or card id.
    #[arg(long)]
    id: Option<String>,
}

impl Subject {
    /// What is looked for.
    pub(super) fn key(&self) -> LookupKey {
        match (&self.email, &self.phone, &self.id) {
            (Some(email), _, _) => LookupKey::Email(email.clone()),
            (_, Some(phone), _) => LookupKey::Phone(phone.clone()),
            (_, _, id) => LookupKey::Id(id.clone().unwrap_or_default()),
        }
    }
}
