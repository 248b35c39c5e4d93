using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mamba.Managed.Templates;

/// <summary>JSON as values of templates: a number with a point or an exponent is a float, any other one an integer.</summary>
internal static class JsonValues
{
    // As deep as the framework reads JSON, unless told otherwise.
    private const int MostNesting = 64;

    // As long as Python reads integers; longer ones take a time that grows with the square.
    private const int MostDigits = 4_300;

    /// <summary>The variables of a template by name.</summary>
    /// <exception cref="ArgumentException">A value is nested too deeply or is no JSON, as a text with half a pair of surrogates.</exception>
    public static PyDict Of(JsonObject variables)
    {
        try
        {
            return (PyDict)Of(variables, 0)!;
        }
        catch (InvalidOperationException error)
        {
            throw new ArgumentException($"expected JSON in the variables: {error.Message}", nameof(variables), error);
        }
    }

    private static object? Of(JsonNode? node, int nesting)
    {
        if (nesting > MostNesting + 1)
        {
            Throw.Argument(Throw.Invariant($"expected variables of at most {MostNesting} levels of nesting, found more"), "variables");
        }

        switch (node)
        {
            case null:
                return null;
            case JsonArray array:
                return new PyList([.. array.Select(item => Of(item, nesting + 1))]);
            case JsonObject fields:
                PyDict dict = new();
                foreach ((string name, JsonNode? value) in fields)
                {
                    dict.Set(name, Of(value, nesting + 1));
                }

                return dict;
            default:
                return OfScalar(node.AsValue());
        }
    }

    private static object? OfScalar(JsonValue value)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.True:
                return true;
            case JsonValueKind.False:
                return false;
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.String:
                return value.TryGetValue(out string? text) ? text : JsonSerializedText(value);
            case JsonValueKind.Number:
                return IsFloat(value) ? double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture) : OfNumber(value.ToJsonString());
            default:
                return Throw.Argument<object?>("expected JSON in the variables, found a value of another kind", "variables");
        }
    }

    // A float of the caller's that is whole is written without a point.
    private static bool IsFloat(JsonValue value) => !value.TryGetValue<JsonElement>(out _) && !value.TryGetValue<long>(out _) && (value.TryGetValue<double>(out _) || value.TryGetValue<float>(out _));

    private static string JsonSerializedText(JsonValue value)
    {
        using JsonDocument json = JsonDocument.Parse(value.ToJsonString());
        return json.RootElement.GetString()!;
    }

    private static object OfNumber(string text) =>
        text.Length > MostDigits ? Throw.Argument<object>(Throw.Invariant($"expected numbers of at most {MostDigits} characters in the variables, found {text.Length}"), "variables")
        : text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0 ? double.Parse(text, CultureInfo.InvariantCulture)
        : long.TryParse(text, CultureInfo.InvariantCulture, out long whole) ? (object)whole
        : BigInteger.Parse(text, CultureInfo.InvariantCulture);
}
