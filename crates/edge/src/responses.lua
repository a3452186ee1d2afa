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

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("content-type") ~= "application/json" then return end
  local status = headers:get(":status")
  if status == "200" then
    unwrap(handle)
  elseif status == "429" or status == "503" then
    add_retry_after(handle)
  end
  if status ~= "200" and handle:metadata():get("page") then replace_with_page(handle, status) end
end
