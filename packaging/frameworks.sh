#!/usr/bin/env bash
# Writes stubs of the frameworks of macOS that the library uses: `frameworks.sh DIRECTORY`. A linker that runs on another
# system finds in them which framework has which symbol. They contain no code. If the library needs another symbol, the
# linker names it: add it here.
set -euo pipefail

# `stub DIRECTORY NAME COMPATIBILITY_VERSION SYMBOLS...`
stub() {
  local directory=$1/System/Library/Frameworks/$2.framework
  mkdir -p "$directory"
  cat >"$directory/$2.tbd" <<END
--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/System/Library/Frameworks/$2.framework/Versions/A/$2'
current-version: $3
compatibility-version: $3
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ $(printf '_%s, ' "${@:4}" | sed 's/, $//') ]
...
END
}

stub "$1" CoreFoundation 150 \
  CFArrayCreate CFArrayGetCount CFArrayGetValueAtIndex CFDataGetBytePtr CFDataGetLength \
  CFDictionaryGetValueIfPresent CFEqual CFNumberGetValue CFRelease CFRetain CFStringCreateWithBytesNoCopy \
  CFStringGetBytes CFStringGetCStringPtr CFStringGetLength \
  kCFAllocatorDefault kCFAllocatorNull kCFTypeArrayCallBacks
stub "$1" Security 1 \
  SecCertificateCopyData SecCopyErrorMessageString SecTrustSettingsCopyCertificates SecTrustSettingsCopyTrustSettings
