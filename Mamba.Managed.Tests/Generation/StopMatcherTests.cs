using System.Text;
using Mamba.Managed.Generation;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Stop strings that arrive in pieces.</summary>
public class StopMatcherTests
{
    [Test]
    public void What_could_become_a_stop_string_is_held_back()
    {
        StopMatcher matcher = new(["END", "\n\n"]);
        Assert.That(matcher.Append("abcE").ToString(), Is.EqualTo("abc"));
        Assert.That(matcher.Append("N").ToString(), Is.Empty);
        Assert.That(matcher.Append("X\n").ToString(), Is.EqualTo("ENX"));
        Assert.That(matcher.Append("E").ToString(), Is.EqualTo("\n"));
        Assert.That(matcher.Append("ND more").ToString(), Is.Empty);
        Assert.That(matcher.IsStopped);
        Assert.That(matcher.Append("later").ToString(), Is.Empty);
        Assert.That(matcher.Flush().ToString(), Is.Empty);
    }

    [Test]
    public void What_became_no_stop_string_comes_at_the_end()
    {
        StopMatcher matcher = new(["END"]);
        Assert.That(matcher.Append("aEN").ToString(), Is.EqualTo("a"));
        Assert.That(matcher.Flush().ToString(), Is.EqualTo("EN"));
        Assert.That(matcher.IsStopped, Is.False);
    }

    [Test]
    public void Any_split_gives_the_text_before_the_first_stop_string([Range(0, 29)] int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 200; round++)
        {
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Word(random.Next(1, 6)))];
            string text = Word(random.Next(0, 60));
            StopMatcher matcher = new(stops);
            StringBuilder output = new();
            for (int at = 0; at < text.Length;)
            {
                int length = Math.Min(random.Next(1, 7), text.Length - at);
                output.Append(matcher.Append(text.AsSpan(at, length)));
                at += length;
            }

            output.Append(matcher.Flush());

            // The first to be complete, and of those the longest.
            (int end, int start) = stops
                .Select(stop => (At: text.IndexOf(stop, StringComparison.Ordinal), stop.Length))
                .Where(found => found.At >= 0)
                .Select(found => (End: found.At + found.Length, Start: found.At))
                .DefaultIfEmpty((text.Length, text.Length))
                .Min();
            Assert.That(output.ToString(), Is.EqualTo(text[..start]), $"'{text}' with {string.Join(", ", stops)}, complete at {end}");
        }

        string Word(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "ab"[random.Next(2)]));
    }

    [Test]
    public void An_empty_stop_string_is_refused() =>
        Assert.That(() => new StopMatcher(["a", ""]), Throws.ArgumentException.With.Message.Contains("at least one character"));
}
