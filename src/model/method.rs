use http::Method as HttpMethod;

closed_set! {
    /// The values of the label `method`: the standard ones (RFC 9110, 9.3 and RFC 5789),
    /// and one for all others, since a client can send any word.
    pub(crate) enum Method {
        Get = "GET",
        Post = "POST",
        Put = "PUT",
        Delete = "DELETE",
        Head = "HEAD",
        Options = "OPTIONS",
        Patch = "PATCH",
        Connect = "CONNECT",
        Trace = "TRACE",
        Other = "_OTHER",
    }
}

impl From<&HttpMethod> for Method {
    #[inline]
    fn from(method: &HttpMethod) -> Self {
        match *method {
            HttpMethod::GET => Self::Get,
            HttpMethod::POST => Self::Post,
            HttpMethod::PUT => Self::Put,
            HttpMethod::DELETE => Self::Delete,
            HttpMethod::HEAD => Self::Head,
            HttpMethod::OPTIONS => Self::Options,
            HttpMethod::PATCH => Self::Patch,
            HttpMethod::CONNECT => Self::Connect,
            HttpMethod::TRACE => Self::Trace,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standard_method_has_its_own_name_and_the_rest_share_one() {
        for method in Method::ALL
            .iter()
            .filter(|method| **method != Method::Other)
        {
            let sent = HttpMethod::from_bytes(method.as_str().as_bytes()).unwrap();
            assert_eq!(Method::from(&sent), *method);
        }
        for odd in ["get", "PURGE", "X"] {
            let sent = HttpMethod::from_bytes(odd.as_bytes()).unwrap();
            assert_eq!(Method::from(&sent), Method::Other);
        }
    }
}
