-- A strict reader of JSON bodies (RFC 8259 in UTF-8). Envoy's transcoder reads more than JSON (single quotes, names without
-- quotes, a name twice), ignores unknown fields, and its errors show the body. Only a body that has exactly one reading goes on
-- to it: JSON whose names are fields of the contract, each once and in one spelling, with values that fit their fields.
local MOST_VIOLATIONS, LONGEST_NAME, DEEPEST = 10, 100, 100
local QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93
local LITERALS = {["true"] = "bool", ["false"] = "bool", ["null"] = "null"}
local NOT_JSON = {}

local function violation(found, field, description)
  if #found < MOST_VIOLATIONS then found[#found + 1] = {field = field, description = description} end
end

local function joined(path, name) return path == "" and name or path .. "." .. name end

-- The forms of the characters of UTF-8 with more than one byte (RFC 3629, section 4).
local CHARACTERS = {
  "^[\194-\223][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]", "^\224[\160-\191][\128-\191]", "^\237[\128-\159][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]", "^\240[\144-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

local function is_utf8(text)
  local at = text:find("[\128-\255]")
  while at do
    local stop
    for _, form in ipairs(CHARACTERS) do
      stop = select(2, text:find(form, at))
      if stop then break end
    end
    if not stop then return false end
    at = text:find("[\128-\255]", stop + 1)
  end
  return true
end

-- The functions below take a position in the text and return the position after what they have read. They raise NOT_JSON.

local function after_space(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

-- Surrogates must be in pairs: a single one is no character, and readers differ in what they make of it.
local function after_escape(text, at)
  if text:find('^["\\/bfnrt]', at + 1) then return at + 2 end
  local code = tonumber(text:match("^u(%x%x%x%x)", at + 1) or error(NOT_JSON), 16)
  if code < 0xD800 or code > 0xDFFF then return at + 6 end
  local low = tonumber(text:match("^\\u(%x%x%x%x)", at + 6) or error(NOT_JSON), 16)
  if code > 0xDBFF or low < 0xDC00 or low > 0xDFFF then error(NOT_JSON) end
  return at + 12
end

local function after_string(text, at)
  at = at + 1
  while true do
    at = text:find('["\\%z\1-\31]', at) or error(NOT_JSON)
    local byte = text:byte(at)
    if byte == QUOTE then return at + 1 end
    if byte ~= BACKSLASH then error(NOT_JSON) end
    at = after_escape(text, at)
  end
end

local function after_number(text, at)
  if text:find("^-?0%d", at) then error(NOT_JSON) end
  local stop = select(2, text:find("^-?%d+", at)) or error(NOT_JSON)
  stop = select(2, text:find("^%.%d+", stop + 1)) or stop
  stop = select(2, text:find("^[eE][+-]?%d+", stop + 1)) or stop
  return stop + 1
end

-- The kind of a scalar, and the position after it.
local function scalar(text, at)
  if text:byte(at) == QUOTE then return "string", after_string(text, at) end
  local word = text:match("^%l+", at)
  if word then return LITERALS[word] or error(NOT_JSON), at + #word end
  return "number", after_number(text, at)
end

-- Whether a scalar fits its field. An integer and a number of an enumeration may be written as a number of the same value.
local function fits(field, kind, text)
  local expected = field.kind
  if expected == "integer" then
    local number = (kind == "number" or text:find("^-?%d+$")) and tonumber(text)
    return number and number == math.floor(number) and number >= field.from and number <= field.to
  elseif expected == "number" then
    return kind == "number" and math.abs(tonumber(text)) < math.huge
  elseif expected == "enum" then
    return kind == "string" and field.values[text] or kind == "number" and text:find("^%d+$")
  end
  return kind == expected
end

local read_object, read_array

-- `field` is the contract's definition of the value at this position, or nil where the form alone is read; `path` names it.
local function read(text, at, depth, field, path, reader)
  if depth > DEEPEST then error(NOT_JSON) end
  local first = text:byte(at)
  if first == OPEN_OBJECT then
    if field and (field.list or not field.fields) then
      violation(reader.found, path, field.expected)
      field = nil
    end
    return read_object(text, at, depth, field and field.fields, path, reader)
  elseif first == OPEN_ARRAY then
    if field and not field.list then
      violation(reader.found, path, field.expected)
      field = nil
    end
    return read_array(text, at, depth, field and field.list, path, reader)
  end
  local kind, stop = scalar(text, at)
  if field and not (kind == "null" and not field.element) then
    local value = kind == "string" and text:sub(at + 1, stop - 2) or text:sub(at, stop - 1)
    if field.list or not fits(field, kind, value) then violation(reader.found, path, field.expected) end
  end
  return stop
end

-- The field with this name, and its path. A name with an escape is no field: a second spelling of it would be a second reading.
local function named(name, fields, seen, path, reader)
  local field = fields[name]
  if field == nil then
    violation(reader.found, joined(path, name:sub(1, LONGEST_NAME)), "unknown field")
    return nil, ""
  end
  local inside = joined(path, field.name)
  if seen[field.name] then violation(reader.found, inside, "given more than once") end
  if reader.in_path[inside] then violation(reader.found, inside, "is in the path and cannot be in the body as well") end
  if field.oneof then
    local other = seen["oneof " .. field.oneof]
    if other and other ~= field.name then violation(reader.found, inside, "excludes " .. other .. ", which is given as well") end
    seen["oneof " .. field.oneof] = field.name
  end
  seen[field.name] = true
  return field, inside
end

function read_object(text, at, depth, fields, path, reader)
  local seen = {}
  at = after_space(text, at + 1)
  if text:byte(at) == CLOSE_OBJECT then return at + 1 end
  while true do
    if text:byte(at) ~= QUOTE then error(NOT_JSON) end
    local stop = after_string(text, at)
    local field, inside = nil, ""
    if fields then field, inside = named(text:sub(at + 1, stop - 2), fields(), seen, path, reader) end
    at = after_space(text, stop)
    if text:byte(at) ~= COLON then error(NOT_JSON) end
    at = after_space(text, read(text, after_space(text, at + 1), depth + 1, field, inside, reader))
    local mark = text:byte(at)
    if mark == CLOSE_OBJECT then return at + 1 end
    if mark ~= COMMA then error(NOT_JSON) end
    at = after_space(text, at + 1)
  end
end

function read_array(text, at, depth, element, path, reader)
  at = after_space(text, at + 1)
  if text:byte(at) == CLOSE_ARRAY then return at + 1 end
  local index = 0
  while true do
    local inside = element and path .. "[" .. index .. "]" or ""
    at = after_space(text, read(text, at, depth + 1, element, inside, reader))
    local mark = text:byte(at)
    if mark == CLOSE_ARRAY then return at + 1 end
    if mark ~= COMMA then error(NOT_JSON) end
    at, index = after_space(text, at + 1), index + 1
  end
end

-- The violations of a body, or nil if it is no JSON object. `fields` is a function that returns the fields of its message.
local function read_body(text, fields, prefix, in_path)
  if not is_utf8(text) then return nil end
  local start = after_space(text, 1)
  if text:byte(start) ~= OPEN_OBJECT then return nil end
  local reader = {found = {}, in_path = in_path}
  -- Any error refuses the body: Envoy lets a request pass whose script fails.
  local read_all, stop = pcall(read_object, text, start, 0, fields, prefix, reader)
  if not read_all or after_space(text, stop) ~= #text + 1 then return nil end
  return reader.found
end
