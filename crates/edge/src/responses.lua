-- Envoy 1.40 cannot transcode with response_body: it prints {"hotel":{...}} where the contract says {...}. The field is
-- the only one of its message and the JSON has no spaces, so what stands around the value is known to the letter.
local function unwrap(handle)
  local field = handle:metadata():get("response_body")
  if field == nil then return end
  local body = handle:body()
  if body == nil then return end
  local text = body:getBytes(0, body:length())
  local prefix = '{"' .. field .. '":'
  if text:sub(1, #prefix) ~= prefix then return end
  handle:headers():replace("content-length", tostring(body:setBytes(text:sub(#prefix + 1, -2))))
end

-- Callers of HTTP look for Retry-After, not for google.rpc.RetryInfo.
local function say_retry_after(handle)
  if handle:headers():get("retry-after") ~= nil then return end
  local body = handle:body()
  if body == nil then return end
  -- Quotes inside of a string are escaped, so this can only be the field.
  local seconds = body:getBytes(0, body:length()):match('"retry_delay":"(%d+%.?%d*)s"')
  if seconds == nil then return end
  handle:headers():add("retry-after", string.format("%d", math.max(1, math.ceil(tonumber(seconds)))))
end

local PAGE = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
  .. '<meta name="viewport" content="width=device-width, initial-scale=1">%s<title>%s</title></head>'
  .. '<body><h1>%s</h1><p role="status">%s</p></body></html>\n'

-- A browser that asked for a page gets a page when there is none to be had; it says nothing of why.
local function say_in_words(handle, status)
  local body = handle:body()
  if body == nil then return end
  local again, title, text = '<meta http-equiv="refresh" content="10">', "Not to be seen right now",
    "Where things stand cannot be shown at the moment. Nothing is lost by that. This page looks again by itself."
  if status == "400" or status == "404" then
    again, title, text = "", "Not found", "There is no such page."
  end
  local headers = handle:headers()
  headers:replace("content-length", tostring(body:setBytes(PAGE:format(again, title, title, text))))
  headers:replace("content-type", "text/html; charset=utf-8")
  headers:replace("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
  headers:replace("cache-control", "no-store")
  headers:replace("referrer-policy", "no-referrer")
  headers:replace("x-content-type-options", "nosniff")
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("content-type") ~= "application/json" then return end
  local status = headers:get(":status")
  if status == "200" then
    unwrap(handle)
  elseif status == "429" or status == "503" then
    say_retry_after(handle)
  end
  if status ~= "200" and handle:metadata():get("page") then say_in_words(handle, status) end
end
