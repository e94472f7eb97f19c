<?php
// Prints the sizes of the structs and the constants of the declarations, then the token of a login: login.php NAMES...

$C = FFI::cdef(file_get_contents(getenv('DECLARATIONS')), getenv('LIBRARY'));

foreach (['dl_auth_error_t', 'dl_auth_info_t'] as $name) {
    echo $name, ' ', FFI::sizeof($C->type($name)), "\n";
}
foreach (array_slice($argv, 1) as $name) {
    echo $name, ' ', $C->$name, "\n";
}

function check(bool $holds, string $what): void
{
    if (!$holds) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
}

$failure = $C->new('dl_auth_error_t');
$failure->size = FFI::sizeof($failure);
$error = FFI::addr($failure);
$must = fn (int $code) => check($code === $C->DL_AUTH_OK, FFI::string($failure->message));

$config = $C->dl_auth_config_new();
$must($C->dl_auth_config_set($config, 'url', getenv('GATE_URL'), $error));
$variables = $C->new('char *[4]');
$strings = []; // they must live until the call returns
foreach (['USERNAME', 'PASSWORD', 'CA_FILE'] as $n => $name) {
    $entry = "DL_AUTH_$name=" . getenv("GATE_$name");
    $strings[$n] = $C->new('char[' . (strlen($entry) + 1) . ']');
    FFI::memcpy($strings[$n], $entry, strlen($entry));
    $variables[$n] = $C->cast('char *', FFI::addr($strings[$n]));
}
$must($C->dl_auth_config_set_environ($config, $C->cast('const char *const *', FFI::addr($variables)), $error));
$auth = $C->new('dl_auth_t *');
$must($C->dl_auth_new($config, FFI::addr($auth), $error));
$C->dl_auth_config_free($config);

$buffer = $C->new('char[' . $C->DL_AUTH_TOKEN_MAX . ']');
$must($C->dl_auth_token($auth, $buffer, FFI::sizeof($buffer), null, $error));
echo 'token ', FFI::string($C->cast('char *', FFI::addr($buffer))), "\n";
$info = $C->new('dl_auth_info_t');
$info->size = FFI::sizeof($info);
$must($C->dl_auth_info($auth, FFI::addr($info), $error));
check($info->state === $C->DL_AUTH_STATE_FRESH && $info->logins === 1, 'dl_auth_info returned wrong values');
$C->dl_auth_free($auth);
$closed = $C->dl_auth_token($auth, $buffer, FFI::sizeof($buffer), null, $error);
check($closed === $C->DL_AUTH_E_CLOSED && $failure->status === $C->DL_AUTH_E_CLOSED, 'the handle is not closed');
