namespace Mamba.Managed.Tests.Checkpoints;

public class ShortenedTests
{
    [Test]
    public void A_list_has_at_most_a_dozen_items()
    {
        Assert.That(Shortened.List(Enumerable.Range(0, 12).Select(i => $"{i}")), Is.EqualTo("0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"));
        Assert.That(Shortened.List(Enumerable.Range(0, 15).Select(i => $"{i}"), "; "), Is.EqualTo("0; 1; 2; 3; 4; 5; 6; 7; 8; 9; 10; 11 and 3 more"));
        Assert.That(Shortened.List([]), Is.Empty);
    }

    [Test]
    public void A_long_text_is_cut_between_characters()
    {
        Assert.That(Shortened.Text(new string('a', 120)), Has.Length.EqualTo(120));
        Assert.That(Shortened.Text(new string('a', 121)), Is.EqualTo(new string('a', 120) + "..."));
        Assert.That(Shortened.Text(new string('a', 119) + "\U0001F600 and more"), Is.EqualTo(new string('a', 119) + "..."));
    }
}
