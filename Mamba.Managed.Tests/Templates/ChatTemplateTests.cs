using System.Text.Json.Nodes;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Templates;

namespace Mamba.Managed.Tests.Templates;

/// <summary>What a caller sees of templates: errors and whose they are, the plain template, variables of every kind.</summary>
public class ChatTemplateTests
{
    [TestCase("a\n  {% include 'x' %}", "line 2, column 6: the tag 'include' is not supported")]
    [TestCase("{{ x | urlize }}", "line 1, column 8: the filter 'urlize' is not supported")]
    [TestCase("{{ x is lovely }}", "line 1, column 9: the test 'lovely' is not supported")]
    [TestCase("{% for x in y recursive %}{% endfor %}", "line 1, column 15: 'recursive' loops are not supported")]
    [TestCase("{% if x %}", "line 1, column 11: expected 'elif' or 'else' or 'endif', found the end of the template")]
    [TestCase("{% break %}", "line 1, column 4: 'break' stands in no loop")]
    [TestCase("{% for x in y %}{% set z %}{% break %}{% endset %}{% endfor %}", "line 1, column 31: 'break' stands in no loop")]
    [TestCase("{{ (x] }}", "line 1, column 6: ']' closes no bracket of its kind")]
    [TestCase("{{ x", "line 1, column 1: expected '}}' that ends the tag, found the end of the template")]
    [TestCase("{{ 'x }}", "line 1, column 4: expected a quote that ends the text, found the end of the template")]
    [TestCase("{{ 99999999999999999999 }}", "line 1, column 4: expected an integer of 64 bits, found 99999999999999999999")]
    [TestCase("{{ a ? b }}", "line 1, column 6: expected an expression, found the character '?'")]
    [TestCase("{% set true = 1 %}", "line 1, column 8: 'true' cannot be assigned")]
    public void What_cannot_be_read_is_named_with_its_place(string source, string expected) =>
        Assert.That(() => ChatTemplate.Parse(source), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo($"chat template, {expected}"));

    [TestCase("\n{{ raise_exception('Roles must {alternate}') }}", ChatTemplateFault.Conversation, "Roles must {alternate}", 2, 19)]
    [TestCase("{{ lipsum() }}", ChatTemplateFault.Template, "chat template, line 1, column 4: the function 'lipsum' is not supported", 1, 4)]
    [TestCase("{{ messages.nothing.more }}", ChatTemplateFault.Template, "chat template, line 1, column 21: a value of the type list has no member 'nothing'", 1, 21)]
    [TestCase("{{ nothing() }}", ChatTemplateFault.Template, "chat template, line 1, column 11: 'nothing' is undefined", 1, 11)]
    [TestCase("{{ 'x'.encode() }}", ChatTemplateFault.Template, "chat template, line 1, column 8: 'encode' of a value of the type str is not supported", 1, 8)]
    [TestCase("{{ 9223372036854775807 + 1 }}", ChatTemplateFault.Template, "chat template, line 1, column 24: the result does not fit an integer of 64 bits", 1, 24)]
    [TestCase("{{ [1, 'a'] | sort }}", ChatTemplateFault.Template, "chat template, line 1, column 15: values of the types str and int have no order", 1, 15)]
    [TestCase("{{ 'x' + 1 }}", ChatTemplateFault.Template, "chat template, line 1, column 8: '+' is not for values of the types str and int", 1, 8)]
    public void An_error_says_whose_it_is_and_where(string source, ChatTemplateFault fault, string message, int line, int column)
    {
        ChatTemplateException? error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source).Render(Messages()));
        Assert.That((error!.Fault, error.Message, error.Line, error.Column), Is.EqualTo((fault, message, line, column)));
    }

    [Test]
    public void The_plain_template_gives_roles_and_texts_on_lines()
    {
        Assert.That(ChatTemplate.Plain.Render(Messages()), Is.EqualTo("user: Hello\nassistant: Hi\nuser: one two\n"));
        JsonObject variables = Messages();
        (variables["add_generation_prompt"], variables["bos_token"]) = (true, "<s>");
        Assert.That(ChatTemplate.Plain.Render(variables), Is.EqualTo("<s>user: Hello\nassistant: Hi\nuser: one two\nassistant:"));
        Assert.That(ChatTemplate.Plain.Render([]), Is.Empty);
    }

    [Test]
    public void Variables_made_by_code_are_values_as_those_of_a_text()
    {
        JsonObject variables = new() { ["a"] = 1, ["b"] = 2.0, ["c"] = 1.5f, ["d"] = (byte)3, ["e"] = "x", ["f"] = true, ["g"] = null, ["h"] = 'y', ["i"] = 4m, ["j"] = 2f };
        Assert.That(ChatTemplate.Parse("{{ [a, b, c, d, e, f, g, h, i, j] }}").Render(variables), Is.EqualTo("[1, 2.0, 1.5, 3, 'x', True, None, 'y', 4, 2.0]"));
        JsonObject read = JsonNode.Parse("""{"a": 1, "b": 2.0, "c": 1e2, "d": 18446744073709551615, "e": "\u00e9"}""")!.AsObject();
        Assert.That(ChatTemplate.Parse("{{ [a, b, c, d, e] | tojson }} {{ d > 5 }}").Render(read), Is.EqualTo("[1, 2.0, 100.0, 18446744073709551615, \"é\"] True"));
    }

    [Test]
    public void A_template_is_rendered_by_several_threads_at_once()
    {
        ChatTemplate template = ChatTemplate.Parse("{% set n = namespace(x=0) %}{% for i in range(100) %}{% set n.x = n.x + i * k %}{% endfor %}{{ n.x }}");
        string[] texts = [.. Enumerable.Range(0, 200).AsParallel().AsOrdered().Select(k => template.Render(new JsonObject { ["k"] = k }))];
        Assert.That(texts, Is.EqualTo(Enumerable.Range(0, 200).Select(k => $"{4950 * k}")));
        Assert.That(template.Source, Does.StartWith("{% set"));
    }

    [Test]
    public void A_model_gives_its_templates_by_name()
    {
        string folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "mamba1-tiny");
        using TemporaryCopy copy = new(folder);
        File.WriteAllText(Path.Combine(copy.Path, "tokenizer_config.json"), """{"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]}""");
        using ModelSource source = ModelSource.Open(copy.Path);
        Assert.That(source.ChatTemplates, Is.EquivalentTo(new Dictionary<string, string> { ["default"] = "a", ["tool_use"] = "b" }));
    }

    private static JsonObject Messages() => JsonNode.Parse("""
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": " Hi "},
          {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "image"}, {"type": "text", "text": "two"}]}]}
        """)!.AsObject();

    private sealed class TemporaryCopy : IDisposable
    {
        public TemporaryCopy(string folder)
        {
            foreach (string file in Directory.EnumerateFiles(folder))
            {
                File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
            }
        }

        public string Path { get; } = Directory.CreateTempSubdirectory().FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
