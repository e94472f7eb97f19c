-- The error of `require` if the library is not usable: loading.lua SCENARIO WORDS... The error must contain each word.

local scenario = table.remove(arg, 1)
local is_loaded, message = pcall(require, "dl_auth")
assert(not is_loaded, "it was loaded")
for _, word in ipairs(arg) do assert(message:find(word, 1, true), ("%q is not in: %s"):format(word, message)) end
print("ok " .. scenario)
