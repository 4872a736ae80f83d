//! Interceptors between the clients and the emulator.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};

/// The reason why a call has no answer.
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

/// A component between the clients and the emulator.
pub trait Interceptor: Send + Sync + 'static {
    /// Answers one call. An error closes the connection instead of answering. When the client
    /// hangs up, the future is dropped.
    fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> impl Future<Output = Result<Response<Bytes>, CallError>> + Send;
}

/// The component that answers the calls that an [`Interceptor`] forwards: another interceptor,
/// or the emulator.
pub trait Next: Send + Sync {
    /// Forwards a call and returns its answer. The `host` header stays unchanged, because it is
    /// signed.
    ///
    /// # Errors
    /// If there is no answer.
    fn forward(
        &self,
        call: &Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, CallError>> + Send;
}

/// The first of the two receives a call first.
impl<A: Interceptor, B: Interceptor> Interceptor for (A, B) {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        let (first, second) = self;
        let second = Behind {
            interceptor: second,
            next,
        };
        first.answer(call, &second).await
    }
}

impl<I: Interceptor> Interceptor for Arc<I> {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        I::answer(self, call, next).await
    }
}

/// Forwards to the second interceptor of a pair.
struct Behind<'a, I, N> {
    interceptor: &'a I,
    next: &'a N,
}

impl<I: Interceptor, N: Next> Next for Behind<'_, I, N> {
    async fn forward(&self, call: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        self.interceptor.answer(call.clone(), self.next).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Noted(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl Interceptor for Noted {
        async fn answer(
            &self,
            call: Request<Bytes>,
            next: &impl Next,
        ) -> Result<Response<Bytes>, CallError> {
            self.1.lock().unwrap().push(self.0);
            next.forward(&call).await
        }
    }

    struct End;

    impl Next for End {
        async fn forward(&self, call: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
            Ok(Response::new(call.body().clone()))
        }
    }

    #[tokio::test]
    async fn interceptors_stand_one_behind_the_other() {
        let seen = Arc::default();
        let noted = |name| Noted(name, Arc::clone(&seen));
        let all = (noted("first"), (Arc::new(noted("second")), noted("third")));
        let call = Request::new(Bytes::from("call"));
        let answer = all.answer(call, &End).await.unwrap();
        assert_eq!(answer.body(), "call");
        assert_eq!(*seen.lock().unwrap(), ["first", "second", "third"]);
    }
}
