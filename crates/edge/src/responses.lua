-- Unwraps responses with response_body, which Envoy 1.40 does not support for JSON: it writes {"hotel":{...}} instead of
-- {...}. The field is the only one of its message and the JSON has no spaces, so prefix and suffix are known exactly.
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

-- Copies google.rpc.RetryInfo to the header Retry-After, which HTTP clients expect.
local function add_retry_after(handle)
  if handle:headers():get("retry-after") ~= nil then return end
  local body = handle:body()
  if body == nil then return end
  -- Quotes inside strings are escaped, so this can only match the field.
  local seconds = body:getBytes(0, body:length()):match('"retry_delay":"(%d+%.?%d*)s"')
  if seconds == nil then return end
  handle:headers():add("retry-after", string.format("%d", math.max(1, math.ceil(tonumber(seconds)))))
end

local PAGE = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
  .. '<meta name="viewport" content="width=device-width, initial-scale=1">%s<title>%s</title></head>'
  .. '<body><h1>%s</h1><p role="status">%s</p></body></html>\n'

-- Replaces the error of a page request by an HTML page for guests, which does not reveal the cause.
local function replace_with_page(handle, status)
  local body = handle:body()
  if body == nil then return end
  local refresh, title, text = '<meta http-equiv="refresh" content="10">', "Temporarily unavailable",
    "We cannot show the status of your booking right now. Your booking and what you have paid are not affected."
    .. " This page reloads automatically."
  if status == "400" or status == "404" then
    refresh, title, text = "", "Not found", "There is no such page. Please check the link."
  end
  local headers = handle:headers()
  headers:replace("content-length", tostring(body:setBytes(PAGE:format(refresh, title, title, text))))
  headers:replace("content-type", "text/html; charset=utf-8")
  headers:replace("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
  headers:replace("cache-control", "no-store")
  headers:replace("referrer-policy", "no-referrer")
  headers:replace("x-content-type-options", "nosniff")
end

-- Errors of RFC 6749, section 5.2, by reason of Staymesh's error: code, and HTTP status where it differs.
local OAUTH_ERRORS = {
  BAD_CREDENTIALS = {"invalid_client", nil, "the client is unknown or its secret is wrong"},
  REFRESH_TOKEN_INVALID = {"invalid_grant", "400", "the refresh token is unknown, expired, used or revoked"},
  RATE_LIMITED = {"temporarily_unavailable", nil, "too many requests"},
  OVERLOADED = {"temporarily_unavailable", nil, "too many requests are in progress"},
}

-- Which error of OAuth 2.0 an error of Staymesh is. Quotes inside strings are escaped, so only fields can match.
local function oauth_error(text, status)
  local known = OAUTH_ERRORS[text:match('"reason":"([A-Z_]+)"') or ""]
  if known then return known[1], known[2], known[3] end
  if text:find('"field":"grant_type"', 1, true) then
    return "unsupported_grant_type", nil, "grant_type must be client_credentials or refresh_token"
  end
  if text:find('"field":"token"', 1, true) then
    return "unsupported_token_type", nil, "only refresh tokens can be revoked"
  end
  if status:sub(1, 1) == "5" then return "temporarily_unavailable", nil, "try again" end
  return "invalid_request", nil, "see message and details"
end

-- Makes answers of the token endpoints those of RFC 6749: never cached, and with `error` beside the members of every error.
local function as_oauth(handle, status)
  handle:headers():replace("cache-control", "no-store")
  handle:headers():replace("pragma", "no-cache")
  if status == "200" then return end
  local body = handle:body()
  if body == nil then return end
  -- Taken after the body: waiting for it makes earlier ones invalid.
  local headers = handle:headers()
  local text = body:getBytes(0, body:length())
  if text:sub(1, 1) ~= "{" then return end
  local code, instead, why = oauth_error(text, status)
  text = '{"error":"' .. code .. '","error_description":"' .. why .. '",' .. text:sub(2)
  headers:replace("content-length", tostring(body:setBytes(text)))
  if instead then headers:replace(":status", instead) end
  if status == "401" and not instead then headers:replace("www-authenticate", 'Basic realm="staymesh"') end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("content-type") ~= "application/json" then return end
  local status = headers:get(":status")
  if status == "200" then
    unwrap(handle)
  elseif status == "429" or status == "503" then
    add_retry_after(handle)
  end
  if handle:metadata():get("oauth") then as_oauth(handle, status) end
  if status ~= "200" and handle:metadata():get("page") then replace_with_page(handle, status) end
end
