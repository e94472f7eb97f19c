// HttpClient with the token: the header Authorization, and what a 401 asks for.
//
// Redirects are left to the handler below. HttpClientHandler takes Authorization out before it follows one, to wherever, so
// the token never leaves the origin that a request was made for; and an answer that came by way of one says nothing about
// the token.
using System;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// Sends each request with `Authorization: Bearer` and the token of an <see cref="Auth"/>, in the place of any that is
    /// there. On a 401 to it, the token is invalidated, and where there is another one then, the request is sent once
    /// more, if it has no body or one that lies in memory (ByteArrayContent, and so StringContent and
    /// FormUrlEncodedContent). In all other cases the 401 is the answer. Where there is no token, sending throws
    /// <see cref="DlAuthException"/>. It does not dispose of the <see cref="Auth"/>.
    /// </summary>
    public sealed class DlAuthHandler : DelegatingHandler
    {
        private readonly Auth auth;

        /// <summary>Over an HttpClientHandler of its own: `new HttpClient(new DlAuthHandler(auth))`.</summary>
        public DlAuthHandler(Auth auth) : this(auth, new HttpClientHandler())
        {
        }

        /// <summary>
        /// Over another handler, which must not send Authorization along a redirect to elsewhere; .NET's do not. Null:
        /// InnerHandler is set later, as IHttpClientFactory does.
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
            catch (DlAuthException) // there is no other token, and the 401 is what there is to tell
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
        /// <summary>HttpClient.Send is not supported: without this it would go out without the token.</summary>
        /// <exception cref="NotSupportedException">Always.</exception>
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            throw new NotSupportedException("DlAuthHandler does not do HttpClient.Send: use SendAsync");
        }
#endif

        private Task<HttpResponseMessage> Send(HttpRequestMessage request, string token, CancellationToken cancellation)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            return base.SendAsync(request, cancellation);
        }

        /// <summary>Whether it is the target itself that answered, and to this token: no redirect lies between.</summary>
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
