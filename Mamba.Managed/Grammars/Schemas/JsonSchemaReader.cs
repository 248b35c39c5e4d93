using System.Text.Json;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>Makes a grammar of a JSON schema: a rule for each schema in it, by its place, so that references may be recursive.</summary>
internal sealed class JsonSchemaReader
{
    private const int MostAlternatives = 256;

    private readonly JsonElement root;
    private readonly JsonGrammar json;
    private readonly ValueReader values;
    private readonly Dictionary<string, int> rules = new(StringComparer.Ordinal);
    private readonly Queue<(int Rule, Keyword Schema)> waiting = new();

    private JsonSchemaReader(JsonElement root, GrammarRules rules)
    {
        this.root = root;
        json = new(rules);
        values = new(json, RuleOf);
    }

    /// <summary>The grammar of a schema.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or asks for something that is not supported, which the message names.</exception>
    public static Grammar Read(JsonElement schema)
    {
        GrammarRules rules = new();
        return new(rules, AddTo(rules, schema));
    }

    /// <summary>Adds the rules of a schema to those of a grammar, and returns the one of the whole.</summary>
    /// <exception cref="InvalidDataException">See <see cref="Read(JsonElement)"/>.</exception>
    public static int AddTo(GrammarRules rules, JsonElement schema)
    {
        try
        {
            return new JsonSchemaReader(schema, rules).Read();
        }
        catch (InvalidOperationException error)
        {
            // A string that is not valid UTF-8 or holds half a surrogate pair, or a default JsonElement.
            throw new InvalidDataException($"expected a JSON schema: {error.Message}", error);
        }
    }

    private int Read()
    {
        RuleOf(new(root, "#"));
        while (waiting.TryDequeue(out (int Rule, Keyword Schema) next))
        {
            json.Rules.Set(next.Rule, ExpressionOf(next.Schema, 0));
        }

        return rules["#"];
    }

    private Call RuleOf(Keyword schema)
    {
        if (!rules.TryGetValue(schema.Path, out int rule))
        {
            rules[schema.Path] = rule = json.Rules.Add(schema.Path);
            waiting.Enqueue((rule, schema));
        }

        return new(rule);
    }

    private Expression ExpressionOf(Keyword schema, int depth)
    {
        CheckDepth(schema, depth);
        if (schema.Value.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.Value.ValueKind == JsonValueKind.True ? json.Value() : new Choice([]);
        }

        SchemaKeywords keywords = SchemaKeywords.Read(schema.Value, schema.Path);
        string[] applied = [.. SchemaKeywords.Applicators.Where(keywords.Values.ContainsKey)];
        if (applied is [string only] && only != "allOf" && Without(keywords, only).IsEmpty)
        {
            // Nothing to merge: what is referred to may refer back here.
            return only == "$ref" ? RuleOf(Resolve(keywords.Values[only])) : Expression.Any([.. Items(keywords.Values[only]).Select(item => ExpressionOf(item, depth + 1))]);
        }

        List<SchemaKeywords> alternatives = Flatten(keywords, depth);
        return applied.Length == 0 ? values.ExpressionOf(keywords) : new Choice([.. alternatives.Select(values.ExpressionOf)]);
    }

    // The schema without its applicators, merged with what they hold; one for each combination of alternatives.
    private List<SchemaKeywords> Flatten(SchemaKeywords keywords, int depth)
    {
        List<SchemaKeywords> merged = [Without(keywords, SchemaKeywords.Applicators)];
        foreach (string name in SchemaKeywords.Applicators.Where(keywords.Values.ContainsKey))
        {
            Keyword keyword = keywords.Values[name];
            if (name == "$ref")
            {
                merged = Cross(keyword, merged, FlattenSchema(Resolve(keyword), depth + 1));
            }
            else if (name == "allOf")
            {
                merged = Items(keyword).Aggregate(merged, (all, item) => Cross(item, all, FlattenSchema(item, depth + 1)));
            }
            else
            {
                merged = Cross(keyword, merged, [.. Items(keyword).SelectMany(item => FlattenSchema(item, depth + 1))]);
            }
        }

        return merged;
    }

    private List<SchemaKeywords> FlattenSchema(Keyword schema, int depth)
    {
        CheckDepth(schema, depth);
        return schema.Value.ValueKind switch
        {
            JsonValueKind.True => [new(schema.Path, new(StringComparer.Ordinal), [], null, [])],
            JsonValueKind.False => [],
            _ => Flatten(SchemaKeywords.Read(schema.Value, schema.Path), depth),
        };
    }

    private static List<SchemaKeywords> Cross(Keyword keyword, List<SchemaKeywords> left, List<SchemaKeywords> right)
    {
        long count = (long)left.Count * right.Count;
        Throw.Unless(count <= MostAlternatives, $"{keyword.Path}: expected at most {MostAlternatives} combinations of alternatives, found {count}");
        return [.. left.SelectMany(one => right.Select(one.And))];
    }

    private static SchemaKeywords Without(SchemaKeywords keywords, params string[] names) => keywords with
    {
        Values = keywords.Values.Where(pair => !names.Contains(pair.Key)).ToDictionary(StringComparer.Ordinal),
    };

    private static void CheckDepth(Keyword schema, int depth) =>
        Throw.Unless(depth <= SchemaKeywords.MostDepth, $"{schema.Path}: expected allOf, anyOf and $ref nested to a depth of at most {SchemaKeywords.MostDepth}, found a deeper one, or a reference to itself that must be merged");

    private static IEnumerable<Keyword> Items(Keyword list)
    {
        Throw.Unless(list.Value.ValueKind == JsonValueKind.Array && list.Value.GetArrayLength() > 0, $"{list.Path}: expected a list of schemas, found {list.Value.ValueKind}");
        return list.Value.EnumerateArray().Select((item, index) => new Keyword(item, Throw.Invariant($"{list.Path}/{index}")));
    }

    private Keyword Resolve(Keyword reference)
    {
        string? pointer = reference.Value.ValueKind == JsonValueKind.String ? reference.Value.GetString() : null;
        bool isLocal = pointer is "#" || pointer?.StartsWith("#/", StringComparison.Ordinal) == true;
        Throw.Unless(isLocal, $"{reference.Path}: expected a reference within the schema such as '#/$defs/name', found '{Shortened.Text(pointer ?? reference.Value.ValueKind.ToString())}', which is not supported");
        Keyword found = new(root, "#");
        foreach (string part in Uri.UnescapeDataString(pointer!).Split('/').Skip(1))
        {
            string name = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            JsonElement value = default;
            bool isThere = found.Value.ValueKind switch
            {
                JsonValueKind.Object => found.Value.TryGetProperty(name, out value),
                JsonValueKind.Array => int.TryParse(name, out int index) && index >= 0 && index < found.Value.GetArrayLength() && (value = found.Value[index]).ValueKind != JsonValueKind.Undefined,
                _ => false,
            };
            Throw.Unless(isThere, $"{reference.Path}: expected a reference to a part of the schema, found '{Shortened.Text(pointer!)}', which is none");
            found = new(value, $"{found.Path}/{SchemaKeywords.Escape(name)}");
        }

        return found;
    }
}
