using System.Text;
using System.Text.Json;
using Mamba.Managed.Grammars;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>Grammars and schemas of strangers: each is read or refused in one line, soon.</summary>
public class GrammarFuzzTests
{
    private const string Gbnf = "root ::= (a | \"x\\u00e9\" [^a-c\\n]{2,5} b*)+ # all\na ::= \"(\" root? \")\" | .\nb ::= a{0,3} | [0-9]? \"\\\"\"";
    private const string Schema = """
        {"type":"object","properties":{"a":{"type":["string","null"],"minLength":2,"maxLength":5},"b":{"$ref":"#/$defs/n"},"c":{"type":"number","minimum":-3,"maximum":7},
        "d":{"type":"string","pattern":"^(a|[b-d]{2})+$"},"e":{"enum":[1,"x",{"y":null}]}},"required":["a"],"additionalProperties":{"type":"integer","exclusiveMinimum":5},
        "$defs":{"n":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/n"},"prefixItems":[true],"maxItems":3},{"const":0}]}},"allOf":[{"properties":{"f":{"format":"date"}}}]}
        """;

    [Test]
    public void Damaged_grammars_are_read_or_refused() => TimeLimit.Run(() =>
    {
        Random random = new(11);
        byte[] good = Encoding.UTF8.GetBytes(Gbnf);
        int read = 0;
        for (int run = 0; run < 4000; run++)
        {
            string text = Encoding.UTF8.GetString(Mutations.Of(good, random));
            read += Reads(() => Grammar.Parse(text)) ? 1 : 0;
        }

        Assert.That(read, Is.GreaterThan(200));
    });

    [Test]
    public void Damaged_schemas_are_read_or_refused() => TimeLimit.Run(() =>
    {
        Random random = new(12);
        byte[] good = Encoding.UTF8.GetBytes(Schema);
        (int parsed, int read) = (0, 0);
        for (int run = 0; run < 4000; run++)
        {
            JsonDocument document;
            try
            {
                document = JsonDocument.Parse(Mutations.Of(good, random));
            }
            catch (JsonException)
            {
                continue;
            }

            using (document)
            {
                parsed++;
                read += Reads(() => Grammar.OfJsonSchema(document.RootElement)) ? 1 : 0;
            }
        }

        Assert.That((parsed, read), Is.GreaterThan((200, 50)));
    });

    [TestCase("root ::= ((((((((\"a\"?){9}){9}){9}){9}){9}){9}){9}){9}")]
    [TestCase("root ::= ((((\"a\"*)*)*)*){60000}")]
    [TestCase("root ::= ([a-z]? [b-y]? [c-x]?){20000}")]
    [TestCase("root ::= (\"a\" | \"ab\" | \"b\" | [^a]){0,3000} \"c\"{0,3000}")]
    public void Grammars_that_grow_are_refused_or_read_soon(string gbnf) => TimeLimit.Run(() =>
    {
        long start = Environment.TickCount64;
        _ = Reads(() => Grammar.Parse(gbnf));
        Assert.That(Environment.TickCount64 - start, Is.LessThan(60_000));
    });

    private static bool Reads(Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (InvalidDataException error)
        {
            Assert.That(error.Message.Split('\n'), Has.Length.EqualTo(1));
            Assert.That(error.Message, Has.Length.LessThan(1200));
            return false;
        }
    }
}
