-- Reads REST requests before the transcoder, so that no request has a second reading.

local INVALID_ARGUMENT, UNIMPLEMENTED = 3, 12

local function refuse(handle, found)
  local texts = {}
  for index, wrong in ipairs(found) do
    texts[index] = wrong.field == "" and wrong.description or wrong.field .. ": " .. wrong.description
  end
  -- The local reply renders the list as google.rpc.BadRequest.
  handle:streamInfo():dynamicMetadata():set(FILTER, VIOLATIONS, found)
  handle:streamInfo():dynamicMetadata():set(FILTER, GRPC_CODE, INVALID_ARGUMENT)
  handle:respond({[":status"] = "400"}, table.concat(texts, "; "))
end

local function check_address(handle, binding, found)
  local headers = handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  if binding.page then handle:streamInfo():dynamicMetadata():set(FILTER, "language", page_language(headers)) end
  if binding.page and query ~= "" then
    query = known_parameters(query, binding)
    headers:replace(":path", path .. "?" .. query)
  end
  read_path(path, binding, found)
  read_query(query, binding, found)
end

local function check_body(handle, binding, found)
  if not binding.body then return end
  local body = handle:body()
  if body == nil or body:length() == 0 then return end
  local wrong = read_body(body:getBytes(0, body:length()), binding.body, binding.prefix, binding.in_path)
  if wrong == nil then
    violation(found, "", "JSON is expected: one object as RFC 8259 defines it, in UTF-8")
    return
  end
  for _, one in ipairs(wrong) do violation(found, one.field, one.description) end
end

local function violations(handle, binding)
  local found = {}
  check_address(handle, binding, found)
  check_body(handle, binding, found)
  return found
end

function envoy_on_request(handle)
  local metadata = handle:metadata()
  local allow = metadata:get("allow")
  if allow ~= nil then
    handle:streamInfo():dynamicMetadata():set(FILTER, GRPC_CODE, UNIMPLEMENTED)
    handle:respond({[":status"] = "405", ["allow"] = allow}, "this path allows " .. allow)
    return
  end
  if metadata:get("no_method") then
    handle:streamInfo():dynamicMetadata():set(FILTER, GRPC_CODE, UNIMPLEMENTED)
    handle:respond({[":status"] = "404"}, "there is no method at " .. handle:headers():get(":path"):match("^[^?]*"))
    return
  end
  local key = metadata:get("binding")
  if key == nil then return end
  if handle:headers():get(":method") == "HEAD" then handle:streamInfo():dynamicMetadata():set(FILTER, "head", true) end
  -- Envoy lets a request pass whose script fails; this one refuses it.
  local checked, found = pcall(violations, handle, BINDINGS[key])
  if not checked then
    handle:respond({[":status"] = "500"}, "")
  elseif #found > 0 then
    refuse(handle, found)
  end
end
