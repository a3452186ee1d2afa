-- Refuses unknown fields in JSON bodies. Envoy's transcoder ignores them, so a misspelt field would change nothing and still
-- succeed. Only names are checked here: the transcoder reports malformed JSON and invalid values itself.
local MOST_NAMES, LONGEST_NAME, DEEPEST = 10, 100, 100
local QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93

-- The functions below take a position in the text and return the position after what they parsed, or nil if malformed.

local function after_space(text, at)
  local byte = text:byte(at)
  while byte == 32 or byte == 10 or byte == 13 or byte == 9 do
    at = at + 1
    byte = text:byte(at)
  end
  return at
end

local function after_string(text, at)
  local from = at + 1
  while true do
    local stop = text:find('["\\]', from)
    if stop == nil then return nil end
    if text:byte(stop) ~= BACKSLASH then return stop + 1 end
    from = stop + 2
  end
end

local after_object, after_array

-- `message` is the contract's message of an object at this position, or nil; `path` is the field path of the position.
local function after_value(text, at, message, path, depth, unknown)
  if depth > DEEPEST then return nil end
  at = after_space(text, at)
  local first = text:byte(at)
  if first == OPEN_OBJECT then return after_object(text, at, message, path, depth, unknown) end
  if first == OPEN_ARRAY then return after_array(text, at, message, path, depth, unknown) end
  if first == QUOTE then return after_string(text, at) end
  local _, last = text:find("^[^,%]} \t\r\n]+", at)
  return last and last + 1
end

local function name_of(path, name)
  name = name:sub(1, LONGEST_NAME)
  return path == "" and name or path .. "." .. name
end

function after_object(text, at, message, path, depth, unknown)
  local fields = MESSAGES[message]
  at = after_space(text, at + 1)
  if text:byte(at) == CLOSE_OBJECT then return at + 1 end
  while text:byte(at) == QUOTE do
    local stop = after_string(text, at)
    if stop == nil then return nil end
    local name = text:sub(at + 1, stop - 2)
    local field = fields and fields[name]
    if fields and field == nil and #unknown < MOST_NAMES then unknown[#unknown + 1] = name_of(path, name) end
    at = after_space(text, stop)
    if text:byte(at) ~= COLON then return nil end
    -- Only messages have fields that can be reported by path.
    local inside = MESSAGES[field] and name_of(path, name) or ""
    at = after_value(text, at + 1, field, inside, depth + 1, unknown)
    if at == nil then return nil end
    at = after_space(text, at)
    local mark = text:byte(at)
    if mark == CLOSE_OBJECT then return at + 1 end
    if mark ~= COMMA then return nil end
    at = after_space(text, at + 1)
  end
  return nil
end

function after_array(text, at, message, path, depth, unknown)
  at = after_space(text, at + 1)
  if text:byte(at) == CLOSE_ARRAY then return at + 1 end
  while true do
    at = after_value(text, at, message, path, depth + 1, unknown)
    if at == nil then return nil end
    at = after_space(text, at)
    local mark = text:byte(at)
    if mark == CLOSE_ARRAY then return at + 1 end
    if mark ~= COMMA then return nil end
    at = at + 1
  end
end

-- The transcoder lets a query parameter override a path variable: `DELETE /v1/hotels/7?hotel_id=8` would delete hotel 8 while
-- every log shows 7. It also accepts percent-encoded names.
local function in_path_and_query(handle)
  local in_path = handle:metadata():get("in_path")
  if in_path == nil then return nil end
  local query = handle:headers():get(":path"):match("%?(.*)$")
  if query == nil then return nil end
  for name in query:gmatch("([^&=]+)=[^&]*") do
    name = name:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
    if in_path[name] then return name end
  end
  return nil
end

function envoy_on_request(handle)
  if handle:metadata():get("page") then prepare_page(handle) end
  local twice = in_path_and_query(handle)
  if twice ~= nil then
    handle:respond({[":status"] = "400"}, twice .. " is in the path and cannot be a query parameter as well")
    return
  end
  local message = handle:metadata():get("request_body")
  if message == nil then return end
  local body = handle:body()
  if body == nil then return end
  local unknown = {}
  after_value(body:getBytes(0, body:length()), 1, message, "", 0, unknown)
  if #unknown == 0 then return end
  handle:respond({[":status"] = "400"}, "unknown field: " .. table.concat(unknown, ", "))
end
