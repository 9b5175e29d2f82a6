/* nothing_milter: a milter that takes what dkimgate takes, and does nothing. usage: nothing_milter SOCKET */
#include <libmilter/mfapi.h>
#include <stdio.h>

static sfsistat negotiate(SMFICTX *context, unsigned long actions, unsigned long steps, unsigned long a,
                          unsigned long b, unsigned long *chosen, unsigned long *asked, unsigned long *c,
                          unsigned long *d)
{
    (void)context, (void)a, (void)b;
    *chosen = actions & SMFIF_ADDHDRS;
    *asked = steps & (SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NODATA | SMFIP_NOUNKNOWN);
    *c = *d = 0;
    return SMFIS_CONTINUE;
}

static sfsistat envelope(SMFICTX *context, char **words) { (void)context, (void)words; return SMFIS_NOREPLY; }

static sfsistat header(SMFICTX *context, char *name, char *value)
{
    (void)context, (void)name, (void)value;
    return SMFIS_NOREPLY;
}

static sfsistat end_of_header(SMFICTX *context) { (void)context; return SMFIS_NOREPLY; }

static sfsistat body(SMFICTX *context, unsigned char *chunk, size_t length)
{
    (void)context, (void)chunk, (void)length;
    return SMFIS_CONTINUE;
}

static sfsistat end(SMFICTX *context) { (void)context; return SMFIS_CONTINUE; }

int main(int count, char **words)
{
    struct smfiDesc milter = {
        .xxfi_name = "nothing", .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_ADDHDRS, .xxfi_envfrom = envelope,
        .xxfi_envrcpt = envelope, .xxfi_header = header, .xxfi_eoh = end_of_header, .xxfi_body = body, .xxfi_eom = end,
        .xxfi_negotiate = negotiate,
    };
    if (count != 2) {
        fprintf(stderr, "usage: nothing_milter SOCKET\n");
        return 2;
    }
    return smfi_setconn(words[1]) == MI_FAILURE || smfi_register(milter) == MI_FAILURE || smfi_main() == MI_FAILURE;
}
