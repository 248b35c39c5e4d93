using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>Whether a value fits a JSON schema, by the specification and with none of the library's code.</summary>
internal static class PlainSchemaCheck
{
    /// <summary>Whether a value fits a schema.</summary>
    public static bool Fits(JsonElement value, JsonElement schema, JsonElement root)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.ValueKind == JsonValueKind.True;
        }

        return schema.EnumerateObject().All(keyword => Holds(value, keyword.Name, keyword.Value, schema, root));
    }

    private static bool Holds(JsonElement value, string name, JsonElement said, JsonElement schema, JsonElement root)
    {
        bool isObject = value.ValueKind == JsonValueKind.Object, isArray = value.ValueKind == JsonValueKind.Array;
        bool isNumber = value.ValueKind == JsonValueKind.Number, isString = value.ValueKind == JsonValueKind.String;
        switch (name)
        {
            case "type":
                return said.ValueKind == JsonValueKind.String ? IsOf(value, said.GetString()!) : said.EnumerateArray().Any(type => IsOf(value, type.GetString()!));
            case "enum":
                return said.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value));
            case "const":
                return JsonElement.DeepEquals(said, value);
            case "$ref":
                return Fits(value, Find(root, said.GetString()!), root);
            case "allOf":
                return said.EnumerateArray().All(one => Fits(value, one, root));
            case "anyOf":
                return said.EnumerateArray().Any(one => Fits(value, one, root));
            case "oneOf":
                return said.EnumerateArray().Count(one => Fits(value, one, root)) == 1;
            case "properties":
                return !isObject || said.EnumerateObject().All(property => !value.TryGetProperty(property.Name, out JsonElement member) || Fits(member, property.Value, root));
            case "required":
                return !isObject || said.EnumerateArray().All(one => value.TryGetProperty(one.GetString()!, out _));
            case "additionalProperties":
                return !isObject || value.EnumerateObject().All(member =>
                    (schema.TryGetProperty("properties", out JsonElement known) && known.TryGetProperty(member.Name, out _)) || Fits(member.Value, said, root));
            case "prefixItems":
                return !isArray || value.EnumerateArray().Zip(said.EnumerateArray()).All(pair => Fits(pair.First, pair.Second, root));
            case "items":
                int prefix = schema.TryGetProperty("prefixItems", out JsonElement first) ? first.GetArrayLength() : 0;
                return !isArray || value.EnumerateArray().Skip(prefix).All(item => Fits(item, said, root));
            case "minItems":
                return !isArray || value.GetArrayLength() >= said.GetInt32();
            case "maxItems":
                return !isArray || value.GetArrayLength() <= said.GetInt32();
            case "minLength":
                return !isString || value.GetString()!.EnumerateRunes().Count() >= said.GetInt32();
            case "maxLength":
                return !isString || value.GetString()!.EnumerateRunes().Count() <= said.GetInt32();
            case "pattern":
                return !isString || Regex.IsMatch(value.GetString()!, said.GetString()!.TrimEnd('$') + (said.GetString()!.EndsWith('$') ? "\\z" : ""));
            case "format":
                return !isString || IsFormat(value.GetString()!, said.GetString()!);
            case "minimum":
                return !isNumber || value.GetDecimal() >= said.GetDecimal();
            case "maximum":
                return !isNumber || value.GetDecimal() <= said.GetDecimal();
            case "exclusiveMinimum":
                return !isNumber || value.GetDecimal() > said.GetDecimal();
            case "exclusiveMaximum":
                return !isNumber || value.GetDecimal() < said.GetDecimal();
            case "title" or "description" or "$defs" or "$schema" or "default":
                return true;
            default:
                throw new NotSupportedException(name);
        }
    }

    private static bool IsOf(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && (value.TryGetDecimal(out decimal number) ? decimal.IsInteger(number) : double.IsInteger(value.GetDouble())),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => value.ValueKind == JsonValueKind.Null,
    };

    private static bool IsFormat(string text, string format) => format switch
    {
        "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "time" => Regex.IsMatch(text, @"^\d\d:") && DateTimeOffset.TryParse($"2000-06-15T{text}", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "date-time" => text.StartsWith("0001-", StringComparison.Ordinal) || text.StartsWith("9999-", StringComparison.Ordinal)
            || DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "ipv4" => System.Net.IPAddress.TryParse(text, out System.Net.IPAddress? address) && address.ToString() == text,
        "ipv6" => System.Net.IPAddress.TryParse(text, out System.Net.IPAddress? six) && six.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6,
        "hostname" => Uri.CheckHostName(text) is UriHostNameType.Dns or UriHostNameType.IPv4,
        "email" => System.Net.Mail.MailAddress.TryCreate(text, out System.Net.Mail.MailAddress? mail) && mail.Address == text,
        "duration" => Regex.IsMatch(text, @"^P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)$"),
        _ => throw new NotSupportedException(format),
    };

    private static JsonElement Find(JsonElement root, string pointer) =>
        pointer.Split('/').Skip(1).Aggregate(root, (at, name) => at.ValueKind == JsonValueKind.Array
            ? at[int.Parse(name, CultureInfo.InvariantCulture)] : at.GetProperty(name.Replace("~1", "/").Replace("~0", "~")));
}
