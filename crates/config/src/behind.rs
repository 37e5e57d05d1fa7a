//! What stands in front of raincheck, and when it cuts a request by default: the `behind` presets.

use std::time::Duration;

use raincheck_core::route::HoldUntil;

/// An edge with a timeout of its own. The figures are the edges' defaults; where yours is set
/// otherwise, write `hold` and `hold_until` yourself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// AWS API Gateway, REST and WebSocket APIs: 29 s for the whole integration (AWS developer
    /// guide, "Amazon API Gateway quotas", integration timeout). It buffers responses.
    ApiGateway,
    /// AWS API Gateway, HTTP APIs: 30 s for the whole integration, fixed (same page).
    HttpApi,
    /// AWS Application Load Balancer: 60 s of silence, `idle_timeout.timeout_seconds` (AWS user
    /// guide, "Application Load Balancer attributes").
    Alb,
    /// Apache httpd `mod_proxy`: 60 s of silence, `ProxyTimeout`, which is `Timeout` (httpd 2.4
    /// documentation).
    Apache,
    /// Azure App Service and Functions: 230 s of silence at the platform's load balancer
    /// (Microsoft Learn, "Azure Functions scale and hosting", function app timeout duration).
    Azure,
    /// Cloudflare: error 524 when there is no response within 100 s (Cloudflare support, "Error
    /// 524", proxy read timeout).
    Cloudflare,
    /// Amazon CloudFront: 30 s for the first and between two packets (developer guide, "Origin
    /// response timeout").
    Cloudfront,
    /// Envoy and gateways made of it: 15 s for the whole response (Envoy documentation, "How do I
    /// configure timeouts?", route timeout).
    Envoy,
    /// Google Cloud external Application Load Balancer: 30 s for the whole response (Google Cloud
    /// documentation, "Backend service timeout").
    GcpLb,
    /// Heroku's router: error H12 when there is no first byte within 30 s (Dev Center, "Request
    /// timeout").
    Heroku,
    /// nginx: 60 s between two reads, `proxy_read_timeout` (nginx documentation,
    /// `ngx_http_proxy_module`).
    Nginx,
}

impl Behind {
    /// Every preset, by name.
    pub const ALL: [Self; 11] = [
        Self::Alb,
        Self::Apache,
        Self::ApiGateway,
        Self::Azure,
        Self::Cloudflare,
        Self::Cloudfront,
        Self::Envoy,
        Self::GcpLb,
        Self::Heroku,
        Self::HttpApi,
        Self::Nginx,
    ];

    /// As written in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiGateway => "api-gateway",
            Self::HttpApi => "http-api",
            Self::Alb => "alb",
            Self::Apache => "apache",
            Self::Azure => "azure",
            Self::Cloudflare => "cloudflare",
            Self::Cloudfront => "cloudfront",
            Self::Envoy => "envoy",
            Self::GcpLb => "gcp-lb",
            Self::Heroku => "heroku",
            Self::Nginx => "nginx",
        }
    }

    /// The edge's own name.
    pub fn title(self) -> &'static str {
        match self {
            Self::ApiGateway => "API Gateway (REST)",
            Self::HttpApi => "API Gateway (HTTP API)",
            Self::Alb => "Application Load Balancer",
            Self::Apache => "Apache httpd",
            Self::Azure => "Azure App Service",
            Self::Cloudflare => "Cloudflare",
            Self::Cloudfront => "CloudFront",
            Self::Envoy => "Envoy",
            Self::GcpLb => "Google Cloud load balancing",
            Self::Heroku => "Heroku",
            Self::Nginx => "nginx",
        }
    }

    /// When the edge gives up: on the whole response if [`Behind::hold_until`] is `Complete`,
    /// otherwise on silence.
    pub fn cuts_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::Envoy => 15,
            Self::ApiGateway => 29,
            Self::HttpApi | Self::Cloudfront | Self::GcpLb | Self::Heroku => 30,
            Self::Alb | Self::Apache | Self::Nginx => 60,
            Self::Cloudflare => 100,
            Self::Azure => 230,
        })
    }

    /// The hold that leaves a safe margin for the network and for storing the job.
    pub fn hold(self) -> Duration {
        Duration::from_secs(match self {
            Self::Envoy => 12,
            Self::ApiGateway | Self::HttpApi | Self::Cloudfront | Self::GcpLb | Self::Heroku => 25,
            Self::Alb | Self::Apache | Self::Nginx => 55,
            Self::Cloudflare => 95,
            Self::Azure => 220,
        })
    }

    /// `Complete` where the edge limits whole responses, `Head` where it limits silence.
    pub fn hold_until(self) -> HoldUntil {
        match self {
            Self::ApiGateway | Self::HttpApi | Self::Envoy | Self::GcpLb => HoldUntil::Complete,
            Self::Alb
            | Self::Apache
            | Self::Azure
            | Self::Cloudflare
            | Self::Cloudfront
            | Self::Heroku
            | Self::Nginx => HoldUntil::Head,
        }
    }
}
