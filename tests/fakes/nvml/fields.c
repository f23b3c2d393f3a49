/* nvmlDeviceGetFieldValues: each field has a return code and a type of its own. */
#include <stdio.h>
#include <string.h>

#include "core.h"

typedef union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; int si; unsigned short us; } Union;
typedef struct { unsigned id, scope; long long timestamp, latency; unsigned type, result; Union value; } FieldValue;

_Static_assert(sizeof(FieldValue) == 40, "nvmlFieldValue_t");

enum type { DOUBLE, UINT, ULONG, ULONGLONG, LONGLONG, INT, USHORT };
enum scope { NONE, LINK, ALL_LINKS };

/* What a Hopper has by itself, and after it what other generations have: those are there only where a test sets them. */
static const struct field { unsigned first, last; enum type type; enum scope scope; int only_if_set; } FIELDS[] = {
    {74, 81, ULONGLONG, NONE, 0},
    {82, 82, UINT, NONE, 0},
    {138, 139, ULONGLONG, ALL_LINKS, 0},
    {161, 163, ULONGLONG, LINK, 0},
    {173, 180, UINT, NONE, 0},
    {186, 186, UINT, NONE, 0},
    {193, 196, INT, NONE, 0},
    {197, 198, UINT, NONE, 0}, /* they wrap at 2^32 */
    {230, 230, UINT, NONE, 0},
    {264, 264, UINT, NONE, 1},
    {269, 271, ULONGLONG, NONE, 0},
    {32, 59, ULONGLONG, NONE, 1},
    {160, 160, ULONGLONG, NONE, 1},
    {201, 222, ULONGLONG, LINK, 1},
};

/* From 575 until 580.82 took it back, 269 to 271 were 251 to 253, and had another meaning themselves: a percentage. */
static unsigned number_now(unsigned id) {
    int major = 0, minor = 0;
    sscanf(general().driver_version, "%d.%d", &major, &minor);
    if (major < 575 || major > 580 || (major == 580 && minor >= 82)) return id;
    return id >= 251 && id <= 253 ? id + 18 : id >= 269 && id <= 271 ? 264 : id;
}

static const struct field *find_field(unsigned id) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (id >= FIELDS[i].first && id <= FIELDS[i].last) return &FIELDS[i];
    return NULL;
}

static void put(FieldValue *field, double value) {
    switch (field->type) {
    case DOUBLE: field->value.d = value; break;
    case UINT: field->value.ui = (unsigned)(unsigned long long)value; break;
    case ULONG: field->value.ul = (unsigned long)value; break;
    case ULONGLONG: field->value.ull = value >= 0x1p64 ? UINT64_MAX : (unsigned long long)value; break;
    case LONGLONG: field->value.sll = (long long)value; break;
    case INT: field->value.si = (int)value; break;
    default: field->value.us = (unsigned short)value;
    }
}

/* The code that a test gave the field, or the field in this scope; else SUCCESS. */
static unsigned injected(const FieldValue *field, int gpu) {
    struct rule rule;
    char name[32];
    snprintf(name, sizeof name, "%u.%u", field->id, field->scope);
    if (find_rule(FIELD, name, gpu, &rule)) return (unsigned)rule.number;
    snprintf(name, sizeof name, "%u", field->id);
    return find_rule(FIELD, name, gpu, &rule) ? (unsigned)rule.number : SUCCESS;
}

static unsigned result_of(const FieldValue *field, const struct field *known, const char *key, int gpu) {
    struct rule rule;
    unsigned code = injected(field, gpu);
    if (code) return code;
    if (known == NULL || (known->only_if_set ? !find_rule(SET, key, gpu, &rule) : !has_value(key, gpu))) return NOT_SUPPORTED;
    if (known->scope == ALL_LINKS && field->scope != UINT32_MAX) return INVALID;
    if (known->scope == LINK && field->scope >= value_of("nvlink_count", gpu)) return INVALID;
    return SUCCESS;
}

static void fill(FieldValue *field, int gpu) {
    const struct field *known = find_field(number_now(field->id));
    struct rule rule;
    char key[32], type[32];
    snprintf(key, sizeof key, "field_%u", number_now(field->id));
    snprintf(type, sizeof type, "field_type_%u", field->id);
    field->result = result_of(field, known, key, gpu);
    if (field->result) return;
    field->type = find_rule(SET, type, gpu, &rule) ? (unsigned)rule.number : known->type;
    memset(&field->value, 0xa5, sizeof field->value); /* whoever reads more of it than the type says reads rubbish */
    put(field, value_at(key, (int)field->scope, gpu));
}

API int nvmlDeviceGetFieldValues(Device device, int count, FieldValue *values) {
    ENTER_DEVICE(device);
    if (count < 1 || values == NULL) return INVALID;
    for (int i = 0; i < count; i++) {
        values[i].timestamp = (long long)(wall() * 1e6);
        values[i].latency = 3;
        fill(&values[i], device->index);
    }
    return SUCCESS;
}
