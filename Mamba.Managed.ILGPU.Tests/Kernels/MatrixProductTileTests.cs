using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>Every tile of the products by matrix instructions, where there are such.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Fast))]
public sealed class MatrixProductTileTests(TestDevice device) : ProductChecks(device)
{
    [Test]
    public void Tiles_of_every_size_and_divided_depths_are_right()
    {
        foreach (ProductCase one in Orders(new(208, 300, 528)))
        {
            int sizes = ProductKernels.Of(one.Operands, one.Precision, one.ATransposed, one.BTransposed).Count;
            for (int size = 0; size < sizes; size++)
            {
                Check(one, new ProductPlan(size, 1, one.Depth));
                Check(one, new ProductPlan(size, 3, 192));
            }
        }
    }
}
