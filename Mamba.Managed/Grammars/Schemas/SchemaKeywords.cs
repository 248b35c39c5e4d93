using System.Text.Json;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>A keyword's value, and where it is.</summary>
internal readonly record struct Keyword(JsonElement Value, string Path);

/// <summary>The keywords of a schema that say what fits, or of several that must fit at once.</summary>
/// <param name="Path">Where the schema is, as a JSON pointer after '#'.</param>
/// <param name="Values">Those of one value.</param>
/// <param name="Properties">The properties in order.</param>
/// <param name="Types">The types; null for any.</param>
/// <param name="Required">The names that must be there.</param>
internal sealed record SchemaKeywords(
    string Path, Dictionary<string, Keyword> Values, IReadOnlyList<(string Name, Keyword Schema)> Properties, HashSet<string>? Types, IReadOnlyList<string> Required)
{
    /// <summary>How deep schemas and values may nest.</summary>
    public const int MostDepth = 64;

    /// <summary>The keywords that hold other schemas to be joined with this one.</summary>
    public static readonly string[] Applicators = ["$ref", "allOf", "anyOf", "oneOf"];

    /// <summary>The keywords that say something about objects alone.</summary>
    public static readonly string[] OfObjects = ["additionalProperties"];

    /// <summary>The keywords that say something about arrays alone.</summary>
    public static readonly string[] OfArrays = ["items", "prefixItems", "minItems", "maxItems"];

    /// <summary>The keywords that say something about strings alone.</summary>
    public static readonly string[] OfStrings = ["minLength", "maxLength", "pattern", "format"];

    /// <summary>The keywords that say something about numbers alone.</summary>
    public static readonly string[] OfNumbers = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

    private static readonly string[] AllTypes = ["object", "array", "string", "number", "integer", "boolean", "null"];
    private static readonly string[] Largest = ["minItems", "minLength", "minimum", "exclusiveMinimum"];
    private static readonly string[] Smallest = ["maxItems", "maxLength", "maximum", "exclusiveMaximum"];

    private static readonly HashSet<string> Annotations = new(StringComparer.Ordinal)
    {
        "title", "description", "default", "examples", "$schema", "$comment", "deprecated", "readOnly", "writeOnly", "$defs", "definitions",
    };

    private static readonly HashSet<string> Supported = ["enum", "const", .. OfObjects, .. OfArrays, .. OfStrings, .. OfNumbers, .. Applicators];

    /// <summary>Whether nothing is said.</summary>
    public bool IsEmpty => Values.Count == 0 && Properties.Count == 0 && Types is null && Required.Count == 0;

    /// <summary>Reads a schema; the schemas in it are left as they are.</summary>
    /// <exception cref="InvalidDataException">A keyword is malformed or not supported.</exception>
    public static SchemaKeywords Read(JsonElement schema, string path)
    {
        Throw.Unless(schema.ValueKind == JsonValueKind.Object, $"{path}: expected a schema, an object or true or false, found {schema.ValueKind}");
        SchemaKeywords read = new(path, new(StringComparer.Ordinal), [], null, []);
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (JsonProperty member in schema.EnumerateObject())
        {
            Throw.Unless(names.Add(member.Name), $"{path}: expected each keyword once, found '{Shortened.Text(member.Name)}' twice");
            read = read.With(member.Name, new(member.Value, $"{path}/{Escape(member.Name)}"));
        }

        return read;
    }

    /// <summary>A name as a part of a JSON pointer.</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>Both at once.</summary>
    /// <exception cref="InvalidDataException">The two cannot be merged.</exception>
    public SchemaKeywords And(SchemaKeywords other)
    {
        Dictionary<string, Keyword> values = new(Values, StringComparer.Ordinal);
        foreach ((string name, Keyword keyword) in other.Values)
        {
            values[name] = values.TryGetValue(name, out Keyword own) ? Merge(name, own, keyword) : keyword;
        }

        HashSet<string> names = [.. Properties.Select(property => property.Name)];
        foreach ((string name, Keyword schema) in other.Properties)
        {
            Throw.Unless(!names.Contains(name), $"{schema.Path}: expected schemas that can be merged, found the property '{Shortened.Text(name)}' in two; write it once");
        }

        RefuseClosed(this, other);
        RefuseClosed(other, this);
        return new(Path, values, [.. Properties, .. other.Properties], Both(Types, other.Types), [.. Required.Union(other.Required)]);
    }

    private static void RefuseClosed(SchemaKeywords closed, SchemaKeywords other)
    {
        if (closed.Values.TryGetValue("additionalProperties", out Keyword keyword) && other.Properties.Count > 0)
        {
            throw new InvalidDataException($"{keyword.Path}: expected additionalProperties not to meet the properties of another schema in allOf, found '{Shortened.Text(other.Properties[0].Name)}'; write them in one schema");
        }
    }

    private SchemaKeywords With(string name, Keyword keyword)
    {
        switch (name)
        {
            case "type":
                return this with { Types = ReadTypes(keyword) };
            case "properties":
                Throw.Unless(keyword.Value.ValueKind == JsonValueKind.Object, $"{keyword.Path}: expected an object, found {keyword.Value.ValueKind}");
                return this with { Properties = [.. ReadProperties(keyword)] };
            case "required":
                return this with { Required = [.. Strings(keyword).Distinct(StringComparer.Ordinal)] };
            case "uniqueItems" when keyword.Value.ValueKind == JsonValueKind.False:
                return this;
            case "$id" when Path == "#":
                return this;
            case string when Annotations.Contains(name):
                return this;
            default:
                Throw.Unless(Supported.Contains(name), $"{keyword.Path}: the keyword '{Shortened.Text(name)}' is not supported{(name == "$id" ? " within a schema" : "")}; leave it out");
                Values.Add(name, keyword);
                return this;
        }
    }

    private static IEnumerable<(string Name, Keyword Schema)> ReadProperties(Keyword keyword)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (JsonProperty property in keyword.Value.EnumerateObject())
        {
            Throw.Unless(names.Add(property.Name), $"{keyword.Path}: expected each property once, found '{Shortened.Text(property.Name)}' twice");
            yield return (property.Name, new(property.Value, $"{keyword.Path}/{Escape(property.Name)}"));
        }
    }

    private static HashSet<string> ReadTypes(Keyword keyword)
    {
        string[] types = keyword.Value.ValueKind == JsonValueKind.String ? [keyword.Value.GetString()!] : [.. Strings(keyword)];
        foreach (string type in types)
        {
            Throw.Unless(AllTypes.Contains(type), $"{keyword.Path}: expected one of {string.Join(", ", AllTypes)}, found '{Shortened.Text(type)}'");
        }

        return new(types, StringComparer.Ordinal);
    }

    private static IEnumerable<string> Strings(Keyword keyword)
    {
        bool isList = keyword.Value.ValueKind == JsonValueKind.Array && keyword.Value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String);
        Throw.Unless(isList, $"{keyword.Path}: expected a list of strings, found {Shortened.Text(keyword.Value.GetRawText()).ReplaceLineEndings(" ")}");
        return keyword.Value.EnumerateArray().Select(item => item.GetString()!);
    }

    // An integer is a number, too.
    private static HashSet<string>? Both(HashSet<string>? left, HashSet<string>? right)
    {
        if (left is null || right is null)
        {
            return left ?? right;
        }

        HashSet<string> both = new(left.Intersect(right), StringComparer.Ordinal);
        if ((left.Contains("number") && right.Contains("integer")) || (right.Contains("number") && left.Contains("integer")))
        {
            both.Add("integer");
        }

        return both;
    }

    private static Keyword Merge(string name, Keyword left, Keyword right)
    {
        if (JsonElement.DeepEquals(left.Value, right.Value) && !Applicators.Contains(name))
        {
            return left;
        }

        bool isLargest = Largest.Contains(name), isNumber = left.Value.ValueKind == JsonValueKind.Number && right.Value.ValueKind == JsonValueKind.Number;
        Throw.Unless(isNumber && (isLargest || Smallest.Contains(name)), $"{right.Path}: expected schemas that can be merged, found '{name}' in two with different values; write it once");
        return left.Value.GetDouble() >= right.Value.GetDouble() == isLargest ? left : right;
    }
}
