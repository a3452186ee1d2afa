-- Errors of pages for guests, as pages.
local PAGE = '<!doctype html>\n<html lang="%s"><head><meta charset="utf-8">'
  .. '<meta name="viewport" content="width=device-width, initial-scale=1"><style>' .. PAGE_STYLE .. '</style>'
  .. '<title>%s</title></head><body><main><h1>%s</h1><p role="status">%s</p>%s</main></body></html>\n'

-- The language that the parameter `language` names, or else the header Accept-Language prefers (RFC 9110, section 12.5.4).
local function page_language(headers)
  local parameter = headers:get(":path"):match("[?&]language=(%a+)")
  if PAGE_TEXTS[parameter] then return parameter end
  local best, weight = "en", 0
  for range in (headers:get("accept-language") or ""):sub(1, 500):gmatch("[^,]+") do
    local language = range:match("^%s*(%a+)")
    language = language and language:lower()
    local quality = tonumber(range:match("q=([%d.]+)") or "1") or 0
    if PAGE_TEXTS[language] and quality > weight then best, weight = language, quality end
  end
  return best
end

-- Replaces the error of a page request by an HTML page for guests, which does not reveal the cause.
local function replace_with_page(handle, status)
  local body = handle:body()
  if body == nil then return end
  local known = handle:streamInfo():dynamicMetadata():get(FILTER)
  -- Without language: the request was answered before this filter.
  local language = known and known.language or "en"
  local texts = PAGE_TEXTS[language]
  local page, again = texts.unavailable, '<p><a href="">' .. texts.again .. '</a></p>'
  if status == "400" or status == "404" then page, again = texts.not_found, "" end
  local headers = handle:headers()
  headers:replace("content-length", tostring(body:setBytes(PAGE:format(language, page[1], page[1], page[2], again))))
  headers:replace("content-type", "text/html; charset=utf-8")
  headers:replace("content-language", language)
  headers:replace("content-security-policy", PAGE_POLICY)
  headers:replace("cache-control", "no-store")
  headers:replace("referrer-policy", "no-referrer")
  headers:replace("x-content-type-options", "nosniff")
end

-- Whether the request is for a page: before the transcoder, its REST form says so, after it, its method.
local function is_page(handle)
  local metadata = handle:metadata()
  local binding = BINDINGS[metadata:get("binding") or ""]
  return metadata:get("page") or binding and binding.page
end
