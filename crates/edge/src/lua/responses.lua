-- Copies the code and google.rpc.RetryInfo of a service's error to headers: grpc-status, which the transcoder drops from
-- errors only, and Retry-After, which HTTP clients expect.
local function add_headers(handle, status)
  local body = handle:body()
  if body == nil then return end
  local text = body:getBytes(0, body:length())
  local headers = handle:headers()
  -- The code is first. Quotes inside strings are escaped, so the second pattern can only match the field.
  local code = text:match('^{"code":(%d+)')
  if code ~= nil then
    headers:replace("grpc-status", code)
    handle:streamInfo():dynamicMetadata():set(FILTER, GRPC_CODE, tonumber(code))
  end
  if status ~= "429" and status ~= "503" or headers:get("retry-after") ~= nil then return end
  local seconds = text:match('"retry_delay":"(%d+%.?%d*)s"')
  if seconds == nil then return end
  headers:add("retry-after", string.format("%d", math.max(1, math.ceil(tonumber(seconds)))))
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

-- The code of a gRPC response is in its trailers. For gRPC-Web they become part of the body, where the access log cannot
-- find them.
local function record_code(handle)
  if handle:headers():get("grpc-status") ~= nil then return end
  local trailers = handle:trailers()
  local code = trailers and trailers:get("grpc-status")
  if code ~= nil then handle:streamInfo():dynamicMetadata():set(FILTER, GRPC_CODE, tonumber(code)) end
end

local function finish_json(handle)
  local status = handle:headers():get(":status")
  if handle:metadata():get("oauth") then as_oauth(handle, status) end
  if status == "200" then return end
  add_headers(handle, status)
  if is_page(handle) then replace_with_page(handle, status) end
end

function envoy_on_response(handle)
  local content_type = handle:headers():get("content-type")
  if content_type == "application/grpc" then
    record_code(handle)
    return
  end
  if content_type == "application/json" then finish_json(handle) end
  -- The answer to HEAD has the headers of that to GET. Envoy drops the body over HTTP/1 only.
  local known = handle:streamInfo():dynamicMetadata():get(FILTER)
  if known and known.head then
    local body = handle:body()
    if body ~= nil then
      local length = body:length()
      body:setBytes("")
      handle:headers():replace("content-length", tostring(length))
    end
  end
end
