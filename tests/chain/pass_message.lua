-- Plays Postfix for miltertest(8): hands one message to the milter at `socket` and prints the DKIM-Signature fields that it inserts.
-- Variables, each set by -D: socket, message (a file with CRLF line ends), client_name, client_ip, sender, recipient, queue_id,
-- and optional: auth (the login of an authenticated client), daemon (the value of {daemon_name}).

-- one step of the protocol, unless the milter said at the start that it does not want to hear of it (`unwanted`)
local function step(name, unwanted, action, ...)
	if unwanted ~= nil and mt.test_option(conn, unwanted) then
		return
	end
	local problem = action(conn, ...)
	if problem ~= nil then
		error(name .. ": " .. problem)
	end
	local reply = mt.getreply(conn)
	if reply ~= SMFIR_CONTINUE and reply ~= SMFIR_SKIP and reply ~= SMFIR_ACCEPT then
		error(name .. ": the milter replied " .. string.char(math.floor(reply)))
	end
end

local function pass()
	local file = assert(io.open(message, "rb"))
	local text = file:read("*a")
	file:close()
	local header, body = string.match(text, "^(.-\r\n)\r\n(.*)$")

	conn = mt.connect("local:" .. socket)
	if conn == nil then
		error("no connection to " .. socket)
	end

	mt.macro(conn, SMFIC_CONNECT, "j", "mx.forwarder.example", "{daemon_name}", daemon or "mx.forwarder.example")
	step("connection", SMFIP_NOCONNECT, mt.conninfo, client_name, client_ip)
	step("HELO", SMFIP_NOHELO, mt.helo, client_name)
	if auth ~= nil then
		mt.macro(conn, SMFIC_MAIL, "{auth_type}", "PLAIN", "{auth_authen}", auth, "{mail_addr}", sender)
	else
		mt.macro(conn, SMFIC_MAIL, "{mail_addr}", sender)
	end
	step("MAIL FROM", SMFIP_NOMAIL, mt.mailfrom, "<" .. sender .. ">")
	mt.macro(conn, SMFIC_RCPT, "i", queue_id, "{rcpt_addr}", recipient)
	step("RCPT TO", SMFIP_NORCPT, mt.rcptto, "<" .. recipient .. ">")

	-- the space behind the colon belongs to the value for a milter that asked for it, else it is dropped
	local keep_space = mt.test_option(conn, SMFIP_HDR_LEADSPC)
	local folded = string.gsub(header, "\r\n([ \t])", "\n%1")
	for name, space, value in string.gmatch(folded, "([^:\r\n]+):( ?)([^\r]*)\r\n") do
		if keep_space then
			value = space .. value
		end
		step("header field " .. name, SMFIP_NOHDRS, mt.header, name, value)
	end
	step("end of header", SMFIP_NOEOH, mt.eoh)
	step("body", SMFIP_NOBODY, mt.bodystring, body)
	step("end of message", nil, mt.eom)

	local index = 0
	while mt.getheader(conn, "DKIM-Signature", index) ~= nil do
		mt.echo("DKIM-Signature:" .. mt.getheader(conn, "DKIM-Signature", index))
		index = index + 1
	end
	mt.disconnect(conn)
end

-- miltertest ends without a word where a script fails
local good, problem = pcall(pass)
if not good then
	mt.echo(tostring(problem))
	error(problem)
end
