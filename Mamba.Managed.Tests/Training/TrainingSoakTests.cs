namespace Mamba.Managed.Tests.Training;

/// <summary>A slice of what <c>eng/soak-training.sh</c> runs at length.</summary>
public class TrainingSoakTests
{
    [Test]
    public void No_weight_becomes_NaN_at_any_shape_length_or_learning_rate()
    {
        using StringWriter output = new();
        Assert.That(TrainingSoak.Run(300, 1, output), Is.Zero, output.ToString());
    }
}
