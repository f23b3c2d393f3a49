/* nvmlDeviceGetFieldValues: each field has a return code and a type of its own. */
#include <stdio.h>

#include "core.h"

typedef union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; int si; unsigned short us; } Union;
typedef struct { unsigned id, scope; long long timestamp, latency; unsigned type, result; Union value; } FieldValue;

_Static_assert(sizeof(FieldValue) == 40, "nvmlFieldValue_t");

static int has_field(unsigned id) {
    static const unsigned known[] = {74, 76, 82, 138, 139, 197, 198, 230, 269, 270, 271};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == id) return 1;
    return 0;
}

static void fill(FieldValue *field, int gpu) {
    struct rule rule;
    char name[32];
    snprintf(name, sizeof name, "%u", field->id);
    if (find_rule(FIELD, name, gpu, &rule)) field->result = (unsigned)rule.number;
    else if (!has_field(field->id)) field->result = NOT_SUPPORTED;
    else if ((field->id == 138 || field->id == 139) && field->scope != UINT32_MAX) field->result = INVALID;
    else {
        snprintf(name, sizeof name, "field_%u", field->id);
        double value = value_of(field->id == 82 ? "memory_temperature" : name, gpu);
        field->result = SUCCESS;
        field->type = field->id == 82 || field->id == 230 ? 1 : 3;
        if (field->type == 1) field->value.ui = (unsigned)value;
        else field->value.ull = (unsigned long long)value;
    }
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
