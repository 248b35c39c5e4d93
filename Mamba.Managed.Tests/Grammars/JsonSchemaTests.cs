using System.Text;
using System.Text.Json;
using Mamba.Managed.Grammars;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>Whatever a model says, what it writes by a schema is JSON and fits the schema.</summary>
public class JsonSchemaTests
{
    private const string Person = """
        {"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Person","type":"object","properties":{
          "name":{"type":"string","description":"The name","minLength":1,"maxLength":12},
          "age":{"type":"integer","minimum":0,"maximum":130},
          "email":{"type":["string","null"],"format":"email"},
          "tags":{"type":"array","items":{"enum":["a","b",3,null,{"x":[1,"é\n"]}]},"maxItems":3},
          "address":{"$ref":"#/$defs/address"}},
         "required":["name","age","email"],"additionalProperties":false,
         "$defs":{"address":{"type":"object","properties":{"street":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}(-[0-9]{4})?$"}},"required":["zip"]}}}
        """;

    private const string Tree = """
        {"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"number"},
          "children":{"type":"array","items":{"$ref":"#/$defs/node"},"maxItems":2}},"required":["value","children"],"additionalProperties":false}}}
        """;

    private const string Union = """
        {"type":"object","properties":{"shape":{"oneOf":[
          {"type":"object","properties":{"kind":{"const":"circle"},"radius":{"type":"number","exclusiveMinimum":0,"maximum":10}},"required":["kind","radius"]},
          {"type":"object","properties":{"kind":{"const":"square"},"side":{"type":"integer","exclusiveMinimum":-5,"exclusiveMaximum":5}},"required":["kind","side"]},
          {"type":"null"}]},"flag":{"type":"boolean"}},"required":["shape","flag"]}
        """;

    private const string Merged = """
        {"allOf":[{"$ref":"#/$defs/base"},{"properties":{"b":{"type":"integer","minimum":-7}},"required":["b"]}],
         "type":"object","$defs":{"base":{"properties":{"a":{"type":"string","maxLength":3}},"required":["a"]}},
         "anyOf":[{"properties":{"c":{"type":"null"}},"required":["c"]},{"properties":{"d":{"type":"boolean"}}}]}
        """;

    private static readonly string[] Schemas =
    [
        Person, Tree, Union, Merged, "true", "{}", "{\"type\":\"object\"}", "{\"type\":\"array\"}", "{\"type\":\"string\"}", "{\"type\":\"number\"}", "{\"type\":\"integer\"}",
        "{\"type\":[\"boolean\",\"null\",\"integer\",\"number\"]}", "{\"const\":{\"a\":[1,2.50,\"\\\"\\u0001\\\\\"]}}", "{\"type\":\"string\",\"enum\":[\"x\",\"xy\",1]}",
        "{\"type\":\"object\",\"properties\":{\"a\":{},\"ab\":{\"type\":\"null\"},\"é\":{\"type\":\"boolean\"}},\"additionalProperties\":{\"type\":\"integer\"}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"],\"additionalProperties\":true}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2},\"c\":{\"const\":3},\"d\":{\"const\":4}},\"required\":[\"b\",\"d\"],\"additionalProperties\":false}",
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":2}}",
        "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\",\"maxLength\":2},{\"type\":\"null\"}],\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":4}",
        "{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2},{\"const\":3}],\"items\":false,\"minItems\":2}",
        "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"maxItems\":0},\"minItems\":2,\"maxItems\":2}",
        "{\"type\":\"number\",\"minimum\":-3,\"maximum\":12}", "{\"type\":\"number\",\"exclusiveMinimum\":-3,\"exclusiveMaximum\":0}",
        "{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}", "{\"type\":\"number\",\"minimum\":5,\"maximum\":5}", "{\"type\":\"number\",\"minimum\":-20,\"maximum\":-10}",
        "{\"type\":\"integer\",\"minimum\":98,\"maximum\":1203}", "{\"type\":\"integer\",\"minimum\":-1203,\"maximum\":-98}", "{\"type\":\"integer\",\"maximum\":-2.5}",
        "{\"type\":\"integer\",\"minimum\":0.5,\"exclusiveMaximum\":3.5}", "{\"type\":\"integer\",\"minimum\":999999999999999999}",
        "{\"type\":\"string\",\"minLength\":3,\"maxLength\":5}", "{\"type\":\"string\",\"minLength\":4}", "{\"type\":\"string\",\"maxLength\":0}",
        "{\"type\":\"string\",\"pattern\":\"^(foo|ba[rz])+\\\\d{2,3}$\"}", "{\"type\":\"string\",\"pattern\":\"q[^a-z\\\\s]\"}", "{\"type\":\"string\",\"pattern\":\"^a|b$\"}",
        "{\"type\":\"string\",\"pattern\":\"^[\\\\w.\\\"\\\\\\\\-]{2}\\\\u00e9?.$\"}", "{\"type\":\"string\",\"pattern\":\"^(?:\\\\/[a-z]+?){1,3}$\"}",
        .. new[] { "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid" }.Select(format => $"{{\"type\":\"string\",\"format\":\"{format}\"}}"),
    ];

    [TestCaseSource(nameof(Schemas))]
    public void What_is_written_fits(string schema)
    {
        using JsonDocument document = JsonDocument.Parse(schema);
        Grammar grammar = Grammar.OfJsonSchema(document.RootElement);
        int complete = 0;
        for (int seed = 0; seed < 40; seed++)
        {
            (byte[] bytes, bool isComplete) = Constrained.Run(grammar, seed % 4 == 0 ? Constrained.Bytes.Value : Constrained.Neox.Value, seed, 600);
            string text = Encoding.UTF8.GetString(bytes);
            if (isComplete)
            {
                using JsonDocument written = Parse(bytes);
                Assert.That(PlainSchemaCheck.Fits(written.RootElement, document.RootElement, document.RootElement), Is.True, text);
                complete++;
            }
        }

        Assert.That(complete, Is.GreaterThan(3), "only endless strings are cut off");
    }

    [Test]
    public void Any_json_is_json()
    {
        int complete = 0;
        for (int seed = 0; seed < 150; seed++)
        {
            (byte[] bytes, bool isComplete) = Constrained.Run(Grammar.Json, seed % 3 == 0 ? Constrained.Bytes.Value : Constrained.Neox.Value, seed, 600);
            if (isComplete)
            {
                using JsonDocument written = Parse(bytes);
                complete++;
            }
        }

        Assert.That(complete, Is.GreaterThan(60));
    }

    [TestCase(Person, """{"name":"Ada","age":36,"email":null}""")]
    [TestCase(Person, "{\n  \"name\": \"Ada \\u00e9\\n😀\",\n  \"age\": 130,\n  \"email\": \"a.b@example.com\",\n  \"tags\": [\"a\", 3, {\"x\":[1,\"é\\n\"]}],\n  \"address\": {\"zip\": \"01234-0000\"}\n}")]
    [TestCase(Tree, """{"value": -1.5e-3, "children": [{"value": 0, "children": []}, {"value": 1, "children": []}]}""")]
    [TestCase(Union, """{"shape": {"kind": "square", "side": -4}, "flag": true}""")]
    [TestCase(Union, """{"shape": {"kind": "circle", "radius": 9.75}, "flag": false}""")]
    [TestCase(Merged, """{"a": "xyz", "b": -7, "c": null}""")]
    [TestCase(Merged, """{"a": "xyz", "b": 12}""")]
    [TestCase("{}", """[1, "two", {"three": [null, {}]}, []]""")]
    [TestCase("{\"required\":[\"a\"],\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"null\"}}", """{"a": 1, "b": null, "aa": null, "": null}""")]
    public void A_text_that_fits_can_be_written(string schema, string text)
    {
        using JsonDocument document = JsonDocument.Parse(schema);
        Assert.That(Constrained.Accepts(Grammar.OfJsonSchema(document.RootElement), text), Is.True);
    }

    [TestCase(Person, """{"age":36,"name":"Ada","email":null}""")]
    [TestCase(Person, """{"name":"Ada","age":36}""")]
    [TestCase(Person, """{"name":"Ada","age":131,"email":null}""")]
    [TestCase(Person, """{"name":"","age":1,"email":null}""")]
    [TestCase(Person, """{"name":"Ada","age":1,"email":null,"more":1}""")]
    [TestCase(Person, """{"name":"Ada","age":01,"email":null}""")]
    [TestCase("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":true}", """{"a":1}""")]
    [TestCase("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":true}", """{"\u0061":1}""")]
    [TestCase("{\"type\":\"string\"}", "\"\\ud800\"")]
    [TestCase("{\"type\":\"string\",\"maxLength\":1}", "\"\\ud83d\\ude00a\"")]
    public void Another_text_cannot(string schema, string text)
    {
        using JsonDocument document = JsonDocument.Parse(schema);
        Assert.That(Constrained.Accepts(Grammar.OfJsonSchema(document.RootElement), text), Is.False);
    }

    [TestCase("{\"type\":\"object\",\"properties\":{\"a/b\":{\"type\":\"string\",\"contentEncoding\":\"base64\"}}}", "#/properties/a~1b/contentEncoding: the keyword 'contentEncoding' is not supported")]
    [TestCase("{\"not\":{}}", "#/not: the keyword 'not'")]
    [TestCase("{\"type\":\"object\",\"patternProperties\":{}}", "#/patternProperties")]
    [TestCase("{\"type\":\"object\",\"minProperties\":1}", "#/minProperties")]
    [TestCase("{\"type\":\"array\",\"uniqueItems\":true}", "#/uniqueItems")]
    [TestCase("{\"type\":\"array\",\"contains\":{}}", "#/contains")]
    [TestCase("{\"type\":\"array\",\"items\":[{}]}", "#/items: expected one schema, found a list")]
    [TestCase("{\"type\":\"array\",\"minItems\":2,\"maxItems\":1}", "#: expected maxItems of at least minItems")]
    [TestCase("{\"type\":\"array\",\"minItems\":-1}", "#/minItems: expected a whole number")]
    [TestCase("{\"type\":\"array\",\"prefixItems\":[{}],\"minItems\":2}", "#/minItems: expected at most the 1 of prefixItems")]
    [TestCase("{\"type\":\"integer\",\"multipleOf\":3}", "#/multipleOf")]
    [TestCase("{\"type\":\"number\",\"minimum\":0.5}", "#/minimum: expected a whole number as the bound of numbers, found 0.5")]
    [TestCase("{\"type\":\"integer\",\"minimum\":1e30}", "#/minimum: expected a number of at most 18 digits")]
    [TestCase("{\"type\":\"integer\",\"exclusiveMinimum\":true}", "#/exclusiveMinimum: expected a number")]
    [TestCase("{\"type\":\"string\",\"format\":\"regex\"}", "#/format: expected one of date, date-time,")]
    [TestCase("{\"type\":\"string\",\"format\":\"date\",\"maxLength\":3}", "#/maxLength: 'maxLength' beside 'format' is not supported")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"a(?=b)\"}", "#/pattern: expected a group")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"(a)\\\\1\"}", "#/pattern: expected an escape")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"\\\\bword\"}", "#/pattern: expected an escape")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"(^a)\"}", "anchors within groups")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"a**\"}", "one repetition")]
    [TestCase("{\"type\":\"string\",\"pattern\":\"[z-a]\"}", "a range from a lower")]
    [TestCase("{\"type\":\"text\"}", "#/type: expected one of object, array,")]
    [TestCase("{\"type\":\"object\",\"properties\":{},\"required\":[\"a\"]}", "#/required: expected names of properties, found 'a'")]
    [TestCase("{\"enum\":[1],\"minimum\":3}", "#/minimum: 'minimum' beside enum")]
    [TestCase("{\"enum\":[]}", "#/enum: expected a list of values")]
    [TestCase("{\"type\":\"string\",\"enum\":[1]}", "never does")]
    [TestCase("false", "never does")]
    [TestCase("7", "#: expected a schema")]
    [TestCase("{\"$ref\":\"other.json\"}", "#/$ref: expected a reference within the schema")]
    [TestCase("{\"$ref\":\"#/$defs/none\"}", "#/$ref: expected a reference to a part of the schema, found '#/$defs/none'")]
    [TestCase("{\"$ref\":\"#\"}", "never does")]
    [TestCase("{\"allOf\":[{\"$ref\":\"#\"}]}", "a reference to itself")]
    [TestCase("{\"allOf\":[{\"properties\":{\"a\":{}}},{\"properties\":{\"a\":{}}}]}", "found the property 'a' in two")]
    [TestCase("{\"allOf\":[{\"properties\":{\"a\":{}},\"additionalProperties\":false},{\"properties\":{\"b\":{}}}]}", "additionalProperties not to meet")]
    [TestCase("{\"allOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}]}", "#/allOf/1/pattern: expected schemas that can be merged, found 'pattern' in two")]
    [TestCase("{\"properties\":{\"a\":{\"$id\":\"x\"}}}", "#/properties/a/$id")]
    [TestCase("{\"type\":\"string\",\"type\":\"null\"}", "expected each keyword once")]
    [TestCase("{\"type\":\"string\",\"maxLength\":100000}", "#/maxLength: expected a whole number up to 4096")]
    [TestCase("{\"properties\":{\"a\":{\"const\":\"\\ud800\"}}}", "expected a JSON schema")]
    public void What_is_not_understood_is_refused_by_name(string schema, string message)
    {
        using JsonDocument document = JsonDocument.Parse(schema);
        Assert.That(() => Grammar.OfJsonSchema(document.RootElement), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(message));
    }

    [Test]
    public void Deep_and_large_schemas_are_no_danger()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"anyOf\":[", 500)) + "{}" + string.Concat(Enumerable.Repeat("]}", 500));
        using JsonDocument document = JsonDocument.Parse(deep, new() { MaxDepth = 2000 });
        Assert.That(() => Grammar.OfJsonSchema(document.RootElement), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("depth of at most 64"));
        string items = string.Concat(Enumerable.Repeat("{\"items\":", 500)) + "{}" + new string('}', 500);
        using JsonDocument nested = JsonDocument.Parse(items, new() { MaxDepth = 2000 });
        Assert.That(Constrained.Accepts(Grammar.OfJsonSchema(nested.RootElement), "[[[]]]"), Is.True);
        string many = $"{{\"properties\":{{{string.Join(',', Enumerable.Range(0, 500).Select(index => $"\"p{index}\":{{\"type\":\"string\"}}"))}}}}}";
        using JsonDocument large = JsonDocument.Parse(many);
        Grammar grammar = Grammar.OfJsonSchema(large.RootElement);
        Assert.That(Constrained.Accepts(grammar, "{\"p7\":\"\", \"p499\": \"x\"}"), Is.True);
    }

    private static JsonDocument Parse(byte[] bytes)
    {
        try
        {
            return JsonDocument.Parse(bytes);
        }
        catch (JsonException error)
        {
            Assert.Fail($"{error.Message}: {Encoding.UTF8.GetString(bytes)}");
            throw;
        }
    }
}
