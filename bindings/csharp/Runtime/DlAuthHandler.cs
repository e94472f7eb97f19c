// HttpClient with the token: adds the header Authorization, and handles a 401.
//
// The inner handler follows redirects. HttpClientHandler removes Authorization before it follows any redirect. So the
// token goes only to the origin of the request, and an answer after a redirect says nothing about the token.
using System;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// Sends each request with `Authorization: Bearer` and the token of an <see cref="Auth"/>, instead of any
    /// other value. After a 401 to it, the token is invalidated. If there is then another token, the request is sent
    /// once more, if it has no body or a body in memory (ByteArrayContent, and so StringContent and
    /// FormUrlEncodedContent). In all other cases the 401 is the answer. If there is no token, sending throws
    /// <see cref="DlAuthException"/>. It does not dispose of the <see cref="Auth"/>.
    /// </summary>
    public sealed class DlAuthHandler : DelegatingHandler
    {
        private readonly Auth auth;

        /// <summary>With a separate HttpClientHandler: `new HttpClient(new DlAuthHandler(auth))`.</summary>
        public DlAuthHandler(Auth auth) : this(auth, new HttpClientHandler())
        {
        }

        /// <summary>
        /// With another handler. It must not send Authorization to another origin after a redirect; .NET's handlers do
        /// not. Null: InnerHandler is set later, as IHttpClientFactory does.
        /// </summary>
        public DlAuthHandler(Auth auth, HttpMessageHandler inner)
        {
            this.auth = auth ?? throw new ArgumentNullException(nameof(auth));
            if (inner != null) InnerHandler = inner;
        }

        /// <summary>Sends a request, at most twice.</summary>
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Uri target = request.RequestUri;
            string token = await auth.TokenAsync(cancellationToken).ConfigureAwait(false);
            HttpResponseMessage response = await Send(request, token, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.Unauthorized || !IsAnswerTo(target, token, response)) return response;
            string another = token;
            try
            {
                auth.Invalidate(token);
                if (CanBeSentAgain(request.Content))
                    another = await auth.TokenAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (DlAuthException) // there is no other token, so the 401 is the answer
            {
            }
            catch
            {
                response.Dispose();
                throw;
            }
            if (another == token) return response;
            response.Dispose();
            return await Send(request, another, cancellationToken).ConfigureAwait(false);
        }

#if NET5_0_OR_GREATER
        /// <summary>HttpClient.Send is not supported: without this override it would send requests without the
        /// token.</summary>
        /// <exception cref="NotSupportedException">Always.</exception>
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            throw new NotSupportedException("DlAuthHandler does not support HttpClient.Send: use SendAsync");
        }
#endif

        private Task<HttpResponseMessage> Send(HttpRequestMessage request, string token, CancellationToken cancellation)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            return base.SendAsync(request, cancellation);
        }

        /// <summary>Whether the answer is from the target itself and to this token, without a redirect in
        /// between.</summary>
        private static bool IsAnswerTo(Uri target, string token, HttpResponseMessage response)
        {
            HttpRequestMessage sent = response.RequestMessage;
            return sent == null || (sent.RequestUri == target && sent.Headers.Authorization?.Parameter == token);
        }

        private static bool CanBeSentAgain(HttpContent content)
        {
            return content == null || content is ByteArrayContent;
        }
    }
}
