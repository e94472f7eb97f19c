// Runs the tests named by the arguments, or all that need the library itself. For the examples there is "serve", a
// platform that wants a token.
using System;
using System.Collections.Generic;

static class Program
{
    static readonly Dictionary<string, Action> All = new Dictionary<string, Action>
    {
        ["first_token"] = Tokens.FirstToken,
        ["cached_read"] = Tokens.CachedRead,
        ["a_cached_read_makes_no_garbage"] = Tokens.NoGarbage,
        ["try_get_token_tells_no_token_from_no_room"] = Tokens.TryGetTokenTells,
        ["claims"] = Tokens.Claims,
        ["expiry_and_refresh"] = Tokens.ExpiryAndRefresh,
        ["wrong_password"] = Errors.WrongPassword,
        ["other_credentials_are_used_from_then_on"] = Tokens.OtherCredentials,
        ["gate_down_with_a_valid_token"] = Tokens.GateDownWithAValidToken,
        ["gate_down_without"] = Tokens.GateDownWithout,
        ["platform_401"] = Http.Platform401,
        ["many_that_see_a_401_cause_one_refresh"] = Http.ManyThatSeeA401CauseOneRefresh,
        ["a_401_is_handed_through_where_there_is_no_other_token"] = Http.A401IsHandedThroughOnce,
        ["a_body_that_is_read_once_is_sent_once"] = Http.ABodyThatIsReadOnceIsSentOnce,
        ["a_redirect_takes_the_token_nowhere"] = Http.ARedirectTakesTheTokenNowhere,
        ["without_a_token_nothing_is_sent"] = Http.WithoutATokenNothingIsSent,
        ["many_at_once_make_one_login"] = Tokens.ManyAtOnceMakeOneLogin,
        ["use_after_close"] = Errors.UseAfterClose,
        ["dispose_wakes_those_that_wait"] = Errors.DisposeWakesThoseThatWait,
        ["a_forgotten_handle_is_freed"] = Errors.AForgottenHandleIsFreed,
        ["wrong_option"] = Errors.WrongOption,
        ["bad_arguments"] = Errors.BadArguments,
        ["claims_of_any_length"] = Errors.LongClaims,
        ["cancellation"] = Waits.Cancellation,
        ["token_async_keeps_to_the_option_wait"] = Waits.TokenAsyncKeepsToTheOptionWait,
        ["token_async_shares_the_poller_but_not_the_wait"] = Waits.SharedPollerOwnWait,
        ["token_async_does_not_wait_for_what_comes_too_late"] = Waits.NotForWhatComesTooLate,
        ["token_async_after_set_credentials_asks_anew"] = Waits.AfterSetCredentials,
        ["token_async_waits_for_what_may_be_fetched_only_then"] = Waits.TokenAsyncWaitsForWhatMayBeFetchedOnlyThen,
    };

    /// <summary>Those that need a process each: for another library, or for its environment.</summary>
    static readonly Dictionary<string, Action> Apart = new Dictionary<string, Action>
    {
        ["variables_of_managed_code_count"] = Environments.VariablesOfManagedCodeCount,
        ["a_set_user_id_program_ignores_the_environment"] = Environments.ASetUserIdProgramIgnoresTheEnvironment,
        ["handles_are_made_while_variables_are_set"] = Environments.HandlesAreMadeWhileVariablesAreSet,
        ["every_status"] = Errors.EveryStatus,
        ["library_missing"] = Errors.LibraryMissing,
        ["library_does_not_load"] = Errors.LibraryDoesNotLoad,
        ["library_too_old"] = Errors.LibraryTooOld,
    };

    static int Main(string[] names)
    {
        switch (names.Length == 1 ? names[0] : "")
        {
            case "serve":
                using (var platform = new Platform())
                {
                    Console.WriteLine(platform.Url);
                    Console.In.ReadToEnd();
                }
                return 0;
            default:
                return Check.Run(names.Length == 1 && Apart.ContainsKey(names[0]) ? Apart : All, names);
        }
    }
}
