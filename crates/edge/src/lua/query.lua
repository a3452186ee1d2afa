-- A strict reader of query parameters and path variables. The transcoder lets a parameter override a path variable and a
-- later parameter an earlier one, also by percent-encoded names: `DELETE /v1/hotels/7?hotel_id=8` would delete hotel 8 while
-- every log shows 7.

local function decoded(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

-- Whether a text of the query or the path fits its field.
local function text_fits(field, text)
  local kind = field.kind
  if kind == "integer" then return text:find("^-?%d+$") and fits(field, "number", text) end
  if kind == "number" then return text:find("^-?%d+%.?%d*$") and fits(field, "number", text) end
  if kind == "bool" then return text == "true" or text == "false" end
  if kind == "enum" then return field.values[text] or field.numbers[text] end
  return is_utf8(text)
end

local function check_parameter(binding, name, value, seen, found)
  local field = binding.query[name]
  local shown = name:sub(1, LONGEST_NAME)
  if not is_utf8(name) then
    violation(found, "", "the name of a query parameter is not UTF-8")
  elseif field == nil and binding.in_path[name] then
    violation(found, shown, "is in the path and cannot be a query parameter as well")
  elseif field == nil then
    violation(found, shown, binding.parameters == "" and "unknown query parameter; there are none"
      or "unknown query parameter; there are " .. binding.parameters)
  elseif value == nil then
    violation(found, shown, "has no value")
  elseif seen[field.name] and not field.repeated then
    violation(found, field.name, "given more than once")
  elseif not text_fits(field, value) then
    violation(found, field.name, field.expected)
  end
  if field then seen[field.name] = true end
end

local function read_query(query, binding, found)
  local seen = {}
  for piece in query:gmatch("[^&]+") do
    local name, value = piece:match("^([^=]*)=(.*)$")
    check_parameter(binding, decoded(name or piece), value and decoded(value), seen, found)
  end
end

local function read_path(path, binding, found)
  local values = {path:match(binding.path)}
  for index, field in ipairs(binding.variables) do
    if values[index] and not text_fits(field, decoded(values[index])) then violation(found, field.name, field.expected) end
  end
end

-- The known parameters alone, each once: browsers and mail programs add parameters of their own to the address of a page.
local function known_parameters(query, binding)
  local kept, seen = {}, {}
  for piece in query:gmatch("[^&]+") do
    local name = decoded(piece:match("^[^=]*"))
    if binding.query[name] and not seen[name] then kept[#kept + 1] = piece end
    seen[name] = true
  end
  return table.concat(kept, "&")
end
