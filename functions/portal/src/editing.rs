//! The form of an endpoint: a new one, a change, and a filter that is tried.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lambda_http::Request;
use lambda_http::http::{HeaderValue, StatusCode};
use ring::hmac::{self, HMAC_SHA256, Key};
use ring::rand::{SecureRandom, SystemRandom};
use webhooks_api_types as api;
use webhooks_domain::portal_access::{Access, CustomerScope};
use webhooks_domain::portal_session::{Capability, LimitedAction};
use webhooks_domain::ports::Clock;
use webhooks_pages::endpoint::{self, Draft};
use webhooks_pages::endpoint_form::{Button, EndpointForm};
use webhooks_pages::frame::Frame;

use crate::answer::{Answer, page};
use crate::data::{Owned, Queue, Table, Workflow};
use crate::flash::Done;
use crate::form::bytes;
use crate::refusal::{Refusal, accepted};
use crate::router::Portal;

/// The form of a new endpoint, or of one that is changed.
pub(crate) fn form_page(
    frame: &Frame,
    scope: &CustomerScope,
    of: Option<&Owned>,
) -> Result<String, Refusal> {
    scope.require(Capability::Manage)?;
    let subscription = of.map(|of| of.shown(scope));
    let form = match &subscription {
        Some(subscription) => EndpointForm::of(subscription),
        None => EndpointForm {
            once: random_name(),
            ..EndpointForm::new()
        },
    };
    let draft = draft(scope, subscription, form);
    Ok(endpoint::form_page(frame, &draft))
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// Adds an endpoint, or tries its filter.
    pub(crate) async fn create(
        &self,
        access: &Access,
        request: &Request,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        scope.require(Capability::Manage)?;
        let draft = draft(scope, None, EndpointForm::parse(bytes(request)));
        match draft.form.button {
            Button::Try => return self.tried(access, draft).await,
            Button::TryTransform => return self.transformed(access, draft).await,
            Button::Save => {}
        }
        let created = match draft.form.patch(None) {
            Ok(fields) => {
                let taken = self.data.allowance.take(scope, LimitedAction::NewEndpoint);
                let taken = taken.await?;
                let once = once(&draft.form.once, &fields);
                let created = self.api.create(scope, &taken, &fields, once).await;
                accepted(created)?
            }
            Err(problem) => Err(problem),
        };
        match created {
            Ok(created) if scope.has(Capability::Secrets) => Ok(self.created_page(access, created)),
            Ok(created) => {
                let done = created_as(&created.subscription);
                Ok(self.done_at_endpoint(done, scope, &created.subscription.id))
            }
            Err(problem) => Ok(self.refilled(
                access,
                &Draft {
                    problem: Some(problem),
                    ..draft
                },
            )),
        }
    }

    /// Changes an endpoint, or tries its filter.
    pub(crate) async fn edit(
        &self,
        access: &Access,
        of: &Owned,
        request: &Request,
    ) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        let form = EndpointForm::parse(bytes(request));
        let draft = draft(scope, Some(of.shown(scope)), form);
        match draft.form.button {
            Button::Try => return self.tried(access, draft).await,
            Button::TryTransform => return self.transformed(access, draft).await,
            Button::Save => {}
        }
        let changed = match draft.form.patch(draft.subscription.as_ref()) {
            Ok(fields) => {
                let version = &draft.form.version;
                let changed = self.api.update(scope, of, version, &fields).await;
                accepted(changed)?
            }
            Err(problem) => Err(problem),
        };
        Ok(match changed {
            Ok(changed) => {
                let has_cleared = !changed.cleared_secret_headers.is_empty()
                    || changed.cleared_authentication.is_some();
                let done = if has_cleared {
                    Done::Cleared
                } else if changed.warnings.is_empty() {
                    Done::Changed
                } else {
                    Done::ChangedWithUnknownTypes
                };
                self.done_at_endpoint(done, scope, &changed.id)
            }
            Err(problem) => self.refilled(
                access,
                &Draft {
                    problem: Some(problem),
                    ..draft
                },
            ),
        })
    }

    async fn tried(&self, access: &Access, draft: Draft) -> Result<Answer, Refusal> {
        let tried = match draft.form.filter_test() {
            Ok(test) => {
                let tried = self.api.try_filter(&access.scope, &test).await;
                accepted(tried)?
            }
            Err(problem) => Err(problem),
        };
        let draft = match tried {
            Ok(tried) => Draft {
                tried: Some(tried),
                ..draft
            },
            Err(problem) => Draft {
                problem: Some(problem),
                ..draft
            },
        };
        Ok(self.refilled(access, &draft))
    }

    async fn transformed(&self, access: &Access, draft: Draft) -> Result<Answer, Refusal> {
        let made = match draft.form.transform_test() {
            Ok(test) => accepted(self.api.try_transform(&access.scope, &test).await)?,
            Err(problem) => Err(problem),
        };
        let (made, problem) = match made {
            Ok(made) => (Some(made), None),
            Err(problem) => (None, Some(problem)),
        };
        let draft = Draft {
            made,
            problem,
            ..draft
        };
        Ok(self.refilled(access, &draft))
    }

    /// The form again, with what was entered.
    fn refilled(&self, access: &Access, draft: &Draft) -> Answer {
        page(
            StatusCode::OK,
            endpoint::form_page(&self.frame(access), draft),
        )
    }
}

/// The notice about a new endpoint.
pub(crate) fn created_as(created: &api::Subscription) -> Done {
    if created.warnings.is_empty() {
        Done::Created
    } else {
        Done::CreatedWithUnknownTypes
    }
}

fn draft(
    scope: &CustomerScope,
    subscription: Option<api::Subscription>,
    form: EndpointForm,
) -> Draft {
    Draft {
        customer: scope.customer().to_string(),
        subscription,
        form,
        problem: None,
        tried: None,
        made: None,
    }
}

/// A name for a form. Without one a form that is sent twice adds two endpoints.
fn random_name() -> String {
    let mut name = [0; 16];
    match SystemRandom::new().fill(&mut name) {
        Ok(()) => format!("{:032x}", u128::from_be_bytes(name)),
        Err(_) => String::new(),
    }
}

/// The idempotency key of a form with these fields. A form that was changed is another request.
///
/// The key is stored, and the fields may contain a weak secret. So their hash needs the form's name
/// as its key, which is random and stored nowhere.
fn once(name: &str, fields: &api::SubscriptionPatch) -> Option<HeaderValue> {
    let name = u128::from_str_radix(name, 16).ok()?;
    let fields = serde_json::to_vec(fields).ok()?;
    let tag = hmac::sign(&Key::new(HMAC_SHA256, &name.to_be_bytes()), &fields);
    let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
    HeaderValue::try_from(format!("portal-{tag}")).ok()
}
