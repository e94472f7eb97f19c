// The header twice in each of the two units of one program. The second unit is built without exceptions.
#include <dl_auth.hpp>
#include <dl_auth.hpp>

namespace {
/** The failure of a call on an empty handle: it uses much of the header in this unit. */
std::string_view closed(dl::failure &why) {
  char memory[DL_AUTH_TOKEN_MAX];
  std::string_view token;
  return dl::auth(nullptr).try_token(memory, token, &why) == DL_AUTH_E_CLOSED ? why.message() : "";
}
} // namespace

std::string_view of_the_other_unit(dl::failure &why);

#ifdef DL_AUTH_EXCEPTIONS
int main() {
  dl::failure ours, theirs;
  return closed(ours).empty() || closed(ours) != of_the_other_unit(theirs);
}
#else
std::string_view of_the_other_unit(dl::failure &why) { return closed(why); }
#endif
