-- What imapfilter does in each job; the table "rules" is written above this text.
local job, one = os.getenv('JOB'), os.getenv('ONEQUERY')
options.charset = 'UTF-8'
options.info = false
options.starttls = false
options.timeout = 600
acc = IMAP {
  server = os.getenv('IMAP_HOST'), port = tonumber(os.getenv('IMAP_PORT')),
  username = os.getenv('IMAP_USER'), password = os.getenv('IMAP_PASS'),
}
local inbox = acc.INBOX

local function by_rule(r, set)
  if r.kind == 'from' then return set:contain_from(r.value)
  elseif r.kind == 'domain' then return set:contain_from('@' .. r.value)
  elseif r.kind == 'subject' then return set:contain_subject(r.value)
  else return set:contain_field('References', '<' .. r.value .. '>') end
end

local function clause(r)
  if r.kind == 'from' then return 'FROM "' .. r.value .. '"'
  elseif r.kind == 'domain' then return 'FROM "@' .. r.value .. '"'
  elseif r.kind == 'subject' then return 'SUBJECT "' .. r.value .. '"'
  else return 'HEADER "References" "<' .. r.value .. '>"' end
end

local function queries(extra)
  local by = {}
  for _, r in ipairs(rules) do
    by[r.folder] = by[r.folder] and ('OR ' .. clause(r) .. ' ' .. by[r.folder]) or clause(r)
  end
  for f, q in pairs(by) do by[f] = extra .. q end
  return by
end

local function triage(set, extra, move)
  if one then
    for f, q in pairs(queries(extra)) do
      local found = inbox:send_query(q)
      if move and #found > 0 then found:move_messages(acc[f]) end
    end
    return
  end
  for _, r in ipairs(rules) do
    local found = by_rule(r, set)
    if move and #found > 0 then found:move_messages(acc[r.folder]) end
  end
end

if job == 'fetch' then
  for _, m in ipairs(inbox:select_all()) do
    local box, uid = table.unpack(m)
    local msg = box[uid]
    msg:fetch_flags()
    msg:fetch_date()
    msg:fetch_fields({ 'Date', 'From', 'To', 'Cc', 'Subject', 'Message-ID', 'In-Reply-To', 'References' })
    msg:fetch_structure()
  end
elseif job == 'triage' then
  triage(inbox, '', true)
elseif job == 'delta' then
  triage(inbox, '', false) -- it keeps no state: a later run asks for everything again
else
  while true do
    inbox:enter_idle()
    repeat
      local fresh = inbox:is_recent() -- what has come since the folder was opened
      local n = #fresh
      if n > 0 then triage(fresh, 'RECENT ', true) end
      local left = inbox:is_recent()
    until #left == 0 or #left >= n
  end
end
