using System.Text.Json.Nodes;
using Mamba.Managed.Templates;

namespace Mamba.Managed.Tests.Templates;

/// <summary>Templates made to take all time, memory or stack: each ends in a clear error.</summary>
public class HostileTemplateTests
{
    private const int SmallStack = 256 * 1024;
    private const int Many = 100_000;

    private static readonly string Double = "{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | length }}";

    private static readonly (string Name, string Source)[] Bombs =
    [
        ("loops within loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}"),
        ("a text doubled", $"{{% set n = namespace(x='ab') %}}{Double}"),
        ("a list doubled", $"{{% set n = namespace(x=[1]) %}}{Double}"),
        ("a text repeated", "{{ 'ab' * 999999999999 }}"),
        ("a list repeated", "{{ ([0] * 999999999) | length }}"),
        ("a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        ("a macro that calls itself twice", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"),
        ("a caller that calls itself", "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}"),
        ("a list of itself twice", "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}"),
        ("a list of itself twice, as JSON", "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}"),
        ("a list of itself twice, compared", "{% set n = namespace(x=[], y=[]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}"),
        ("a tuple of itself twice, as a key", "{% set n = namespace(x=()) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}{% endfor %}{{ {n.x: 1} }}"),
        ("a deep list", "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}"),
        ("a deep list, as JSON", "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}"),
        ("deep lists, compared", "{% set n = namespace(x=[], y=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% set n.y = [n.y] %}{% endfor %}{{ n.x == n.y }}"),
        ("a deep tuple, as a key", "{% set n = namespace(x=()) %}{% for i in range(99999) %}{% set n.x = (n.x,) %}{% endfor %}{{ {n.x: 1} }}"),
        ("a deep list, summed", "{{ [[]] * 999999 | sum(start=[]) }}"),
        ("generators of generators", "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x | map('string') %}{% endfor %}{{ n.x | list }}"),
        ("selections of selections", "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x | select %}{% endfor %}{{ n.x | first }}"),
        ("items that were never the same", "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x | unique %}{% endfor %}{% for i in n.x %}{% endfor %}"),
        ("many digits, often", "{% for i in range(99999) %}{{ '%.1000f' % 1.1 | length }}{{ '%.1000e' % 1.1 | length }}{% endfor %}"),
        ("a huge range", "{{ range(999999999999) | list }}"),
        ("many ranges", "{% for i in range(99999) %}{{ range(99999) | list | length }}{% endfor %}"),
        ("a wide field", "{{ '%999999999d' % 1 }}"),
        ("a wide field of format", "{{ '{:>999999999}'.format(1) }}"),
        ("many digits", "{{ '%.999999999f' % 1.5 }}"),
        ("a wide center", "{{ 'x'.center(999999999999) }}"),
        ("a wide indent", "{{ 'x\ny' | indent(999999999) }}"),
        ("an indent of JSON", "{{ [[[[[1]]]]] | tojson(indent='x' * 8000000) }}"),
        ("a join", "{{ range(99999) | join('x' * 1000) }}"),
        ("a replacement", "{{ ('a' * 999999).replace('a', 'b' * 1000) }}"),
        ("a search", "{% set t = 'a' * 4000000 %}{% set s = 'a' * 2000000 ~ 'b' %}{% for i in range(99999) %}{{ s in t }}{% endfor %}"),
        ("splits", "{% set t = 'a' * 999999 %}{% for i in range(99999) %}{{ t.split('a') | length }}{% endfor %}"),
        ("sorts", "{% set l = range(99999) | list %}{% for i in range(99999) %}{{ l | sort | first }}{% endfor %}"),
        ("slices", "{% set t = 'a' * 8000000 %}{% for i in range(99999) %}{{ t[1:] | length }}{% endfor %}"),
        ("methods", "{% set t = 'a' * 8000000 %}{% for i in range(99999) %}{{ t.upper().find('b') }}{% endfor %}"),
        ("a power", "{{ 10 ** 999999999 }}"),
        ("blocks of text", "{% set n = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}"),
        ("a batch", "{{ [1] | batch(999999999999, 0) | list }}"),
        ("slices of a list", "{{ [1] | slice(999999999999) | list }}"),
        ("a path of attributes", "{{ [1] | map(attribute='a.' * 4000000) | list }}"),
        ("a call of many", "{% macro m() %}{{ varargs | length }}{% endmacro %}{% for i in range(99999) %}{{ m(*range(99999)) }}{% endfor %}"),
    ];

    private static readonly (string Name, string Source)[] Deep =
    [
        ("brackets", $"{{{{ {new string('(', Many)}1{new string(')', Many)} }}}}"),
        ("lists", $"{{{{ {new string('[', Many)}{new string(']', Many)} }}}}"),
        ("mappings", $"{{{{ {string.Concat(Enumerable.Repeat("{1:", Many))}1{new string('}', Many)} }}}}"),
        ("not", $"{{{{ {string.Concat(Enumerable.Repeat("not ", Many))}x }}}}"),
        ("signs", $"{{{{ {string.Concat(Enumerable.Repeat("- ", Many))}1 }}}}"),
        ("conditions", $"{{{{ {string.Concat(Enumerable.Repeat("1 if 0 else ", Many))}1 }}}}"),
        ("calls", $"{{{{ {string.Concat(Enumerable.Repeat("f(", Many))}{new string(')', Many)} }}}}"),
        ("items", $"{{{{ {string.Concat(Enumerable.Repeat("a[", Many))}1{new string(']', Many)} }}}}"),
        ("ifs", string.Concat(Enumerable.Repeat("{% if x %}", Many))),
        ("loops", string.Concat(Enumerable.Repeat("{% for x in y %}", Many))),
        ("macros", string.Concat(Enumerable.Repeat("{% macro x() %}", Many))),
        ("targets", $"{{% set {new string('(', Many)}x{new string(')', Many)} = 1 %}}"),
    ];

    // Long, not deep to read; what is too deep to evaluate is refused then.
    private static readonly (string Name, string Source)[] Chains =
    [
        ("sums", $"{{{{ 1{string.Concat(Enumerable.Repeat(" + 1", Many))} }}}}"),
        ("members", $"{{{{ x{string.Concat(Enumerable.Repeat(".x", Many))} }}}}"),
        ("filters", $"{{{{ x{string.Concat(Enumerable.Repeat(" | trim", Many))} }}}}"),
        ("ands", $"{{{{ 1{string.Concat(Enumerable.Repeat(" and 1", Many))} }}}}"),
        ("tests", $"{{{{ x{string.Concat(Enumerable.Repeat(" is true and x", Many))} }}}}"),
        ("calls", $"{{{{ x{string.Concat(Enumerable.Repeat("()", Many))} }}}}"),
    ];

    public static IEnumerable<TestCaseData> BombCases() => Named(Bombs);

    public static IEnumerable<TestCaseData> DeepCases() => Named(Deep);

    public static IEnumerable<TestCaseData> ChainCases() => Named(Chains);

    [TestCaseSource(nameof(BombCases))]
    public void A_template_that_never_ends_or_fills_the_memory_reaches_a_limit(string source)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        ChatTemplateException? error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source).Render([]));
        Assert.That(error!.Fault, Is.EqualTo(ChatTemplateFault.Limit).Or.EqualTo(ChatTemplateFault.Template));
        Assert.That(error.Line, Is.GreaterThan(0));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(6L << 30));
    }

    [TestCaseSource(nameof(DeepCases))]
    public void A_template_nested_too_deeply_is_refused_when_it_is_read(string source) =>
        TimeLimit.Run(() => Assert.That(() => ChatTemplate.Parse(source), Throws.TypeOf<InvalidDataException>().With.Message.Contains("at most 200 levels of nesting")), SmallStack);

    [TestCase("{{ ((((((", "expected '}}' that ends the tag")]
    [TestCase("{% if ((((((", "expected '%}' that ends the tag")]
    public void Opening_brackets_alone_are_refused_when_it_is_read(string beginning, string expected) =>
        TimeLimit.Run(() => Assert.That(() => ChatTemplate.Parse(beginning + new string('(', Many)), Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected)), SmallStack);

    [TestCaseSource(nameof(ChainCases))]
    public void A_chain_too_long_to_evaluate_reaches_a_limit(string source)
    {
        ChatTemplate template = ChatTemplate.Parse(source);
        TimeLimit.Run(() => Assert.That(() => template.Render([]), Throws.TypeOf<ChatTemplateException>().With.Property("Fault").EqualTo(ChatTemplateFault.Limit)), SmallStack);
    }

    [Test]
    public void Limits_are_those_of_the_caller()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for i in range(1000) %}abc{% endfor %}");
        Assert.That(template.Render([], new ChatTemplateLimits { MostCharacters = 3_000 }), Has.Length.EqualTo(3_000));
        Assert.That(() => template.Render([], new ChatTemplateLimits { MostCharacters = 2_999 }), Throws.TypeOf<ChatTemplateException>().With.Message.Contains("expected at most 2999 characters in a text, found 3000"));
        Assert.That(() => template.Render([], new ChatTemplateLimits { MostSteps = 1_000 }), Throws.TypeOf<ChatTemplateException>().With.Message.Contains("expected at most 1000 steps, found more"));
        Assert.That(() => ChatTemplate.Parse("{{ [[[[1]]]] }}").Render([], new ChatTemplateLimits { MostNesting = 4 }), Throws.TypeOf<ChatTemplateException>().With.Message.Contains("expected at most 4 levels of nesting, found more"));
    }

    [Test]
    public void Variables_nested_too_deeply_are_refused()
    {
        JsonNode deep = new JsonArray();
        for (int level = 0; level < Many; level++)
        {
            deep = new JsonArray(deep);
        }

        Assert.That(() => ChatTemplate.Plain.Render(new JsonObject { ["messages"] = deep }), Throws.ArgumentException.With.Message.Contains("at most 64 levels of nesting"));
    }

    [TestCase("""{"x": "\ud800"}""", "expected JSON in the variables")]
    [TestCase("""{"x": [{"\udc00": 1}]}""", "expected JSON in the variables")]
    public void Variables_that_are_no_texts_are_refused(string json, string expected) =>
        Assert.That(() => ChatTemplate.Plain.Render(JsonNode.Parse(json)!.AsObject()), Throws.ArgumentException.With.Message.Contains(expected));

    [Test]
    public void A_number_of_a_million_digits_is_refused() =>
        Assert.That(() => ChatTemplate.Plain.Render(JsonNode.Parse($"{{\"x\": {new string('1', 1_000_000)}}}")!.AsObject()), Throws.ArgumentException.With.Message.Contains("at most 4300 characters"));

    [Test]
    public void Templates_with_pieces_changed_are_read_and_rendered_or_refused()
    {
        Random random = new(5);
        string[] sources = [.. Bombs.Select(bomb => bomb.Source), ChatTemplate.Plain.Source];
        ChatTemplateLimits limits = new() { MostSteps = 20_000, MostCharacters = 20_000 };
        for (int round = 0; round < 20_000; round++)
        {
            string source = sources[random.Next(sources.Length)], other = sources[random.Next(sources.Length)];
            int at = random.Next(source.Length), cut = random.Next(Math.Min(8, source.Length - at + 1)), from = random.Next(other.Length);
            int taken = random.Next(Math.Min(12, other.Length - from + 1));
            string changed = string.Concat(source.AsSpan(0, at), other.AsSpan(from, taken), source.AsSpan(at + cut));
            try
            {
                _ = ChatTemplate.Parse(changed).Render(new JsonObject { ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "x" }) }, limits);
            }
            catch (Exception error) when (error is InvalidDataException or ChatTemplateException)
            {
                Assert.That(error.Message, Is.Not.Empty);
            }
        }
    }

    private static IEnumerable<TestCaseData> Named((string Name, string Source)[] cases) => cases.Select(one => new TestCaseData(one.Source).SetArgDisplayNames(one.Name));
}
