using System.Text.Json.Nodes;
using Mamba.Managed.Templates;

namespace Mamba.Managed.Tests.Templates;

/// <summary>Texts against those of Jinja, set up as Hugging Face's transformers does for chat templates.</summary>
public class ChatTemplateGoldenTests
{
    private static readonly string Folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "chat-templates");

    public static IEnumerable<TestCaseData> Conversations() => Entries("golden.json", entry => entry["conversation"]!.GetValue<int>());

    public static IEnumerable<TestCaseData> Constructs() => Entries("random.json", _ => 0);

    [TestCaseSource(nameof(Conversations))]
    public void A_conversation_has_the_text_that_Jinja_gives(JsonObject variables, JsonObject entry) => AssertText(variables, entry);

    [TestCaseSource(nameof(Constructs))]
    public void Constructs_made_at_random_have_the_text_that_Jinja_gives(JsonObject variables, JsonObject entry) => AssertText(variables, entry);

    private static void AssertText(JsonObject variables, JsonObject entry)
    {
        string source = entry["template"]!.GetValue<string>();
        if (entry["fault"]?.GetValue<string>() is not { } fault)
        {
            Assert.That(ChatTemplate.Parse(source).Render(variables, null, new Clock()), Is.EqualTo(entry["text"]!.GetValue<string>()));
            return;
        }

        ChatTemplateException? error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source).Render(variables, null, new Clock()));
        Assert.That(error!.Fault.ToString(), Is.EqualTo(fault));
        if (error.Fault == ChatTemplateFault.Conversation)
        {
            Assert.That(error.Message, Is.EqualTo(entry["message"]!.GetValue<string>()));
        }
    }

    private static IEnumerable<TestCaseData> Entries(string file, Func<JsonObject, int> conversation)
    {
        JsonObject golden = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Folder, file)))!.AsObject();
        foreach ((int index, JsonNode? entry) in golden["entries"]!.AsArray().Index())
        {
            yield return new TestCaseData(golden["variables"]![conversation(entry!.AsObject())], entry).SetArgDisplayNames($"{index}", entry["name"]?.GetValue<string>() ?? "");
        }
    }

    private sealed class Clock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2024, 7, 6, 5, 4, 3, TimeSpan.Zero);
    }
}
