/* The DLL of Windows that Rust gets random numbers from. Debian's wine 8 lacks it, so packaging/try.sh puts this one
 * beside a program that runs under wine. It is not part of the library. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
